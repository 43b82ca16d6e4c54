import type { DocumentId } from '../../schemas/index.ts'
import type { Sql, SqlParameters } from '../runtime/clickhouse/sql.ts'
import { idOfRow } from './ids.ts'

const foundMax = 30
const charactersShown = 220
/** What stands before the words that were looked for. */
const charactersBefore = 60
/** A search through a large corpus shows what it has found by then: it must not keep the database busy. */
const searchSecondsMax = 5
/** Asked once for a run: it may take longer. */
const overlapSecondsMax = 60

export interface FoundText {
  readonly docId: DocumentId
  readonly tokens: number
  readonly meta: string
  readonly snippet: string
}

const beginning = `leftUTF8(text, ${charactersShown})`

/** Documents that have the words in their text or in their row's metadata, in any case: the first few. */
export async function documentsWithWords(sql: Sql, words: string): Promise<FoundText[]> {
  const snippet = `substringUTF8(text, greatest(1, toInt64(positionCaseInsensitiveUTF8(text, {words:String})) - ${charactersBefore}), ${charactersShown})`
  const where =
    'positionCaseInsensitiveUTF8(text, {words:String}) > 0 OR positionCaseInsensitiveUTF8(meta, {words:String}) > 0'
  return await find(sql, snippet, where, { words })
}

/** The first few documents whose ids are in one of these ranges, ends included. The table is in the order of ids: nothing else of it is read. */
export async function documentsInRanges(
  sql: Sql,
  ranges: readonly { readonly first: bigint; readonly last: bigint }[],
): Promise<FoundText[]> {
  if (ranges.length === 0) return []
  const where = ranges.map((_, i) => `doc BETWEEN {first${i}:UInt64} AND {last${i}:UInt64}`).join(' OR ')
  const limits = ranges.flatMap(({ first, last }, i) => [
    [`first${i}`, first],
    [`last${i}`, last],
  ])
  return await find(sql, beginning, where, Object.fromEntries(limits))
}

/** Documents by id, in the order given, of more ids the first few; ids that the corpus does not have are left out. */
export async function documentsOfIds(sql: Sql, ids: readonly DocumentId[]): Promise<FoundText[]> {
  if (ids.length === 0) return []
  const wanted = ids.slice(0, foundMax)
  const found = await find(sql, beginning, 'doc IN {ids:Array(UInt64)}', { ids: wanted })
  const order = new Map(wanted.map((id, i) => [id, i]))
  return found.sort((a, b) => order.get(a.docId)! - order.get(b.docId)!)
}

async function find(sql: Sql, snippet: string, where: string, parameters: SqlParameters): Promise<FoundText[]> {
  const rows = await sql.query<{ doc: string; tokens: string; meta: string; snippet: string }>(
    `SELECT doc, tokens, meta, ${snippet} AS snippet FROM documents
     WHERE ${where} LIMIT 1 BY doc LIMIT ${foundMax}
     SETTINGS max_execution_time = ${searchSecondsMax}, timeout_overflow_mode = 'break'`,
    parameters,
  )
  return rows.map(({ doc, tokens, ...rest }) => ({ docId: idOfRow(doc), tokens: Number(tokens), ...rest }))
}

/**
 * Ids of documents whose text is one of these, in ascending order. A full scan of texts: a search that takes longer than
 * `overlapSecondsMax` gives what it has found by then.
 */
export async function documentsOfTexts(sql: Sql, texts: readonly string[]): Promise<DocumentId[]> {
  if (texts.length === 0) return []
  const rows = await sql.query<{ doc: string }>(
    `SELECT doc FROM documents WHERE text IN {texts:Array(String)} ORDER BY doc LIMIT 1 BY doc
     SETTINGS max_execution_time = ${overlapSecondsMax}, timeout_overflow_mode = 'break'`,
    { texts },
  )
  return rows.map(({ doc }) => idOfRow(doc))
}
