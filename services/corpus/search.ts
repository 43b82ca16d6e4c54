import { createHash } from 'node:crypto'
import type { DocumentId } from '../../schemas/index.ts'
import type { LabelColumn } from '../../topologies/corpus-store.ts'
import type { Sql, SqlParameters } from '../runtime/clickhouse/sql.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { sealedBegin } from '../texts/envelope.ts'
import { columnNames } from './columns.ts'
import { idOfRow } from './ids.ts'
import { snippetOf } from './snippet.ts'

export const charactersShown = 230
/** What stands before the words that were looked for. */
const charactersBefore = 80
/** A search through a large corpus shows what it has found by then: it must not keep the database busy. */
const searchSecondsMax = 5
/** Runs once per run, so it may take longer. */
const overlapSecondsMax = 60
/** Statements are bounded by servers, at 256 KiB where nobody says otherwise; an id takes up to 21 characters. */
export const idsMax = 10_000

/** Ends included. */
export interface IdRange {
  readonly first: bigint
  readonly last: bigint
}

/** A word, or several that stand together, in any case. */
export interface Term {
  readonly text: string
  /** Documents in these ranges have it in the name of their source. */
  readonly ranges: readonly IdRange[]
}

/** All conditions must hold; what is left out is none. */
export interface DocumentFilter {
  /** Each is in the text, in the row's metadata, or in the name of the source. */
  readonly terms?: readonly Term[]
  readonly within?: readonly IdRange[]
  /** The label of an actor by a version of its labeler, as an index. */
  readonly labels?: readonly { readonly column: Pick<LabelColumn, 'actor' | 'version'>; readonly subcategory: number }[]
  /** At most `idsMax`. */
  readonly ids?: readonly DocumentId[]
  /** Texts may be encrypted: words are looked for in no text that is. */
  readonly sealed?: boolean
}

export interface FoundText {
  readonly docId: DocumentId
  readonly tokens: number
  readonly meta: string
  /** Of what is stored. */
  readonly snippet: string
}

export interface FoundPage {
  readonly total: number
  /** false: the search was ended before it had seen everything, so there may be more. */
  readonly complete: boolean
  readonly documents: readonly FoundText[]
}

const limits = `SETTINGS max_execution_time = ${searchSecondsMax}, timeout_overflow_mode = 'break'`

/** Documents that a filter lets through, in the order of their ids, a page of them; and how many there are. */
export async function findDocuments(
  sql: Sql,
  filter: DocumentFilter,
  { offset = 0, count, clock = systemClock }: { offset?: number; count: number; clock?: Clock },
): Promise<FoundPage> {
  const { where, parameters } = conditionsOf(filter)
  const beganMs = clock()
  const [counted] = await sql.query<{ total: string }>(
    `SELECT uniqExact(doc) AS total FROM documents WHERE ${where} ${limits}`,
    parameters,
  )
  const complete = clock() - beganMs < searchSecondsMax * 1000
  const documents = await pageOf(sql, filter, { offset, count })
  return { total: Math.max(Number(counted!.total), offset + documents.length), complete, documents }
}

async function pageOf(
  sql: Sql,
  filter: DocumentFilter,
  { offset, count }: { offset: number; count: number },
): Promise<FoundText[]> {
  const { where, parameters } = conditionsOf(filter)
  const rows = await sql.query<TextRow>(
    `SELECT ${textColumns(filter.terms?.length ?? 0)} FROM documents WHERE ${where}
     ORDER BY doc LIMIT 1 BY doc LIMIT {count:UInt32} OFFSET {offset:UInt64} ${limits}`,
    { ...parameters, count, offset },
  )
  return rows.map(foundOf)
}

/** Documents by id, in the order given; ids that the corpus does not have are left out. At most `idsMax`. */
export async function documentsOfIds(sql: Sql, ids: readonly DocumentId[]): Promise<FoundText[]> {
  if (ids.length === 0) return []
  const documents = await pageOf(sql, { ids }, { offset: 0, count: ids.length })
  const order = new Map(ids.map((id, i) => [id, i]))
  return documents.toSorted((a, b) => order.get(a.docId)! - order.get(b.docId)!)
}

interface TextRow {
  readonly doc: string
  readonly tokens: string
  readonly meta: string
  readonly start: string
  readonly length: string
  readonly excerpt: string
}

const foundOf = ({ doc, tokens, meta, start, length, excerpt }: TextRow): FoundText => {
  const [first, last] = [Number(start), Number(start) + charactersShown - 1]
  const snippet = snippetOf({ text: excerpt, before: first > 1, after: last < Number(length) })
  return { docId: idOfRow(doc), tokens: Number(tokens), meta, snippet }
}

/** The excerpt begins before the first of the terms that the text has. */
function textColumns(terms: number): string {
  const places = Array.from({ length: terms }, (_, i) => `positionCaseInsensitiveUTF8(text, {term${i}:String})`)
  const place = terms === 0 ? '0' : `arrayFirst(at -> at > 0, [${places.join(', ')}])`
  const start = `greatest(1, toInt64(${place}) - ${charactersBefore})`
  return `doc, tokens, meta, ${start} AS start, lengthUTF8(text) AS length, substringUTF8(text, ${start}, ${charactersShown}) AS excerpt`
}

function conditionsOf({ terms = [], within, labels = [], ids, sealed = false }: DocumentFilter): {
  where: string
  parameters: SqlParameters
} {
  const parameters: SqlParameters = sealed ? { sealed: sealedBegin } : {}
  const inRanges = (ranges: readonly IdRange[], name: string) =>
    ranges.map(({ first, last }, i) => {
      parameters[`${name}First${i}`] = first
      parameters[`${name}Last${i}`] = last
      return `doc BETWEEN {${name}First${i}:UInt64} AND {${name}Last${i}:UInt64}`
    })
  const anyOf = (alternatives: readonly string[]) =>
    alternatives.length === 0 ? '0' : `(${alternatives.join(' OR ')})`
  const conditions = [
    // The table is in the order of ids: ranges and ids first, and nothing else of it is read.
    ...(ids === undefined ? [] : [ids.length === 0 ? '0' : `doc IN (${ids.slice(0, idsMax).map(String).join()})`]),
    ...(within === undefined ? [] : [anyOf(inRanges(within, 'within'))]),
    ...labels.map(({ column, subcategory }, i) => {
      parameters[`label${i}`] = subcategory
      return `doc IN (SELECT doc FROM corpus FINAL WHERE ${columnNames(column).label} = {label${i}:UInt16})`
    }),
    ...terms.map(({ text, ranges }, i) => {
      parameters[`term${i}`] = text
      const [inText, inMeta] = ['text', 'meta'].map(
        (name) => `positionCaseInsensitiveUTF8(${name}, {term${i}:String}) > 0`,
      )
      // What stands in ciphertext by chance is nothing that somebody has written.
      const found = sealed ? `(NOT startsWith(text, {sealed:String}) AND ${inText})` : inText!
      return anyOf([found, inMeta!, ...inRanges(ranges, `term${i}`)])
    }),
  ]
  return { where: conditions.length === 0 ? '1' : conditions.join(' AND '), parameters }
}

/** Documents that are one of some texts. */
export interface FoundTexts {
  readonly documents: readonly { readonly docId: DocumentId; readonly text: string }[]
  /** false: the search ended after `seconds`, before it had seen everything, so there may be more. */
  readonly complete: boolean
  readonly seconds: number
}

/**
 * Documents whose text is one of these, in the order of their ids. A full scan of texts, compared by length and digest: texts themselves would
 * not fit into a statement. It ends after `overlapSecondsMax` with what it has found by then.
 */
export async function documentsOfTexts(
  sql: Sql,
  texts: readonly string[],
  clock: Clock = systemClock,
): Promise<FoundTexts> {
  const byDigest = new Map(texts.map((text) => [createHash('md5').update(text).digest('hex'), text]))
  const beganMs = clock()
  const rows =
    texts.length === 0
      ? []
      : await sql.query<{ doc: string; digest: string }>(
          `SELECT doc, lower(hex(MD5(text))) AS digest FROM documents
           PREWHERE length(text) IN {lengths:Array(UInt64)}
           WHERE digest IN {digests:Array(String)} ORDER BY doc LIMIT 1 BY doc
           SETTINGS max_execution_time = ${overlapSecondsMax}, timeout_overflow_mode = 'break'`,
          { lengths: [...new Set(texts.map((text) => Buffer.byteLength(text)))], digests: [...byDigest.keys()] },
        )
  return {
    documents: rows.map(({ doc, digest }) => ({ docId: idOfRow(doc), text: byDigest.get(digest)! })),
    complete: clock() - beganMs < overlapSecondsMax * 1000,
    seconds: overlapSecondsMax,
  }
}
