import type { Sql } from '../runtime/clickhouse/sql.ts'

const foundMax = 30
const charactersShown = 220

export interface FoundDocument {
  readonly doc: string
  readonly tokens: number
  readonly meta: string
  readonly snippet: string
}

type Row = { doc: string; tokens: string; meta: string; snippet: string }
const columns = `toString(doc) AS doc, tokens, meta, leftUTF8(text, ${charactersShown}) AS snippet`
const found = (rows: readonly Row[]): FoundDocument[] => rows.map((row) => ({ ...row, tokens: Number(row.tokens) }))

/** The first documents that have the words in their text or in their row's metadata. */
export async function searchDocuments(sql: Sql, words: string): Promise<FoundDocument[]> {
  return found(
    await sql.query<Row>(
      `SELECT ${columns} FROM documents
       WHERE positionCaseInsensitiveUTF8(text, {words:String}) > 0 OR positionCaseInsensitiveUTF8(meta, {words:String}) > 0
       LIMIT 1 BY doc LIMIT ${foundMax}`,
      { words },
    ),
  )
}

/** Documents by id, in the order given; ids that the corpus does not have are left out. */
export async function listDocuments(sql: Sql, ids: readonly bigint[]): Promise<FoundDocument[]> {
  if (ids.length === 0) return []
  const rows = await sql.query<Row>(
    `SELECT ${columns} FROM documents WHERE doc IN (SELECT arrayJoin({ids:Array(UInt64)})) LIMIT 1 BY doc`,
    { ids: ids.slice(0, foundMax) },
  )
  const order = new Map(ids.map((id, i) => [`${id}`, i]))
  return found(rows).sort((a, b) => order.get(a.doc)! - order.get(b.doc)!)
}
