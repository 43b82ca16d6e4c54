/**
 * Queries on the corpus, which stands in ClickHouse: `documents` has texts, `corpus` one row a document, with a column for the label, the
 * score and the offset of each labeler version. Any ClickHouse client can ask; values travel as parameters.
 */
import { columnNames } from '../../services/corpus/columns.ts'
import type { Sql } from '../../services/runtime/clickhouse/sql.ts'

interface Labels {
  readonly actor: string
  readonly version: string
}

/** Documents and tokens of each subcategory. FINAL merges the rows of a document that came at different times. */
export async function sizesOf(sql: Sql, labels: Labels) {
  const { label } = columnNames(labels)
  const rows = await sql.query<{ subcategory: number; documents: string; tokens: string }>(
    `SELECT ${label} AS subcategory, count() AS documents, sum(tokens) AS tokens
     FROM corpus FINAL WHERE isNotNull(${label}) AND isNotNull(at_document)
     GROUP BY subcategory ORDER BY subcategory`,
  )
  // 64-bit integers come as text.
  return rows.map((row) => ({ ...row, documents: Number(row.documents), tokens: Number(row.tokens) }))
}

/** The documents of a subcategory with the highest scores. Ids are unsigned 64-bit: text or bigint, never a JavaScript number. */
export async function bestOf(sql: Sql, labels: Labels, subcategory: number, count: number) {
  const { label, score } = columnNames(labels)
  return await sql.query<{ id: string; score: number; beginning: string }>(
    `SELECT toString(doc) AS id, best.score AS score, substringUTF8(text, 1, 80) AS beginning
     FROM (
       SELECT doc, ${score} AS score FROM corpus FINAL WHERE ${label} = {subcategory:UInt16}
       ORDER BY score DESC, doc LIMIT {count:UInt32}
     ) AS best
     INNER JOIN documents FINAL USING (doc)
     ORDER BY best.score DESC, doc`,
    { subcategory, count },
  )
}
