import { asDocumentId, type Document } from '../../schemas/index.ts'
import type { At } from '../../topologies/corpus-store.ts'
import type { Sql } from '../runtime/clickhouse/sql.ts'
import { amongIds, idOfRow } from './ids.ts'

/** Of a partition of the documents' topic. */
export interface Range {
  readonly partition: number
  readonly from: number
  /** The offset behind the last one. */
  readonly to: number
}

/** Where documents stood is looked up for so many offsets at a time: 96 MB, and one pass over three columns of the corpus. */
const offsetsPerLook = 4_000_000

/** Texts are read for so many documents at a time, and no more than so many tokens (some megabytes). */
const documentsPerRead = 256
const tokensPerRead = 1_000_000

/** The documents whose records stood in a range of offsets, in the order of the offsets, as they were ingested. */
export async function* keptDocuments(
  sql: Sql,
  { partition, from, to }: Range,
  perLook = offsetsPerLook,
): AsyncGenerator<At<Document>[]> {
  await sql.settle(['documents', 'corpus'])
  for (let first = from; first < to; first += perLook) {
    let some: Stood[] = []
    let tokens = 0
    for await (const stood of whereDocumentsStood(sql, { partition, from: first, to: Math.min(to, first + perLook) })) {
      if (some.length > 0 && (some.length >= documentsPerRead || tokens + stood.tokens > tokensPerRead)) {
        yield* documentsOf(sql, partition, some)
        some = []
        tokens = 0
      }
      some.push(stood)
      tokens += stood.tokens
    }
    if (some.length > 0) yield* documentsOf(sql, partition, some)
  }
}

interface Stood {
  readonly doc: bigint
  readonly at: number
  readonly tokens: number
}

const columns = 3

/**
 * Rows that have not merged yet are grouped here, which costs less than merging them all: a document's own columns come in one row, or in equal
 * ones that differ at most in the offset.
 */
async function* whereDocumentsStood(sql: Sql, { partition, from, to }: Range): AsyncGenerator<Stood> {
  let rest: bigint[] = []
  const numbers = sql.ids(
    `SELECT doc, assumeNotNull(min(at_document)) AS at, max(tokens) AS held FROM corpus
     WHERE part = {part:UInt32} AND at_document >= {from:UInt64} AND at_document < {to:UInt64} GROUP BY doc ORDER BY at`,
    { part: partition, from, to },
  )
  for await (const chunk of numbers) {
    const all = [...rest, ...chunk]
    const whole = all.length - (all.length % columns)
    for (let i = 0; i < whole; i += columns) yield { doc: all[i]!, at: Number(all[i + 1]), tokens: Number(all[i + 2]) }
    rest = all.slice(whole)
  }
}

async function* documentsOf(sql: Sql, partition: number, some: readonly Stood[]): AsyncGenerator<At<Document>[]> {
  const rows = await sql.query<{ doc: string; text: string; meta: string; tokens: string }>(
    `SELECT doc, text, meta, tokens FROM documents WHERE ${amongIds} LIMIT 1 BY doc`,
    { ids: some.map(({ doc }) => doc) },
  )
  const byId = new Map(rows.map((row) => [idOfRow(row.doc) as bigint, row]))
  const found = some.flatMap(({ doc, at }) => {
    const row = byId.get(doc)
    if (row === undefined) return []
    const { text, meta } = row
    const value = { docId: asDocumentId(doc), text, meta, tokens: Number(row.tokens) }
    return [{ value, partition, offset: at }]
  })
  if (found.length > 0) yield found
}
