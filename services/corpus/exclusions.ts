import { asDocumentId, type DocumentId, type Exclusion, type TopicOffset, topics } from '../../schemas/index.ts'
import type { At } from '../../topologies/corpus-store.ts'
import type { Sql } from '../runtime/clickhouse/sql.ts'
import { idOfRow, rowsOfLists } from './ids.ts'

interface Row {
  readonly list: string
  readonly part: number
  readonly at: string
  readonly excluded: number
  readonly record: string
}

const columns = 'doc, list, part, at, excluded, record'

/** All records of a document, in log order. */
export async function exclusionsOf(sql: Sql, docId: DocumentId): Promise<At<Exclusion>[]> {
  await sql.settle(['exclusions'])
  const rows = await sql.query<Row & { doc: string }>(
    `SELECT ${columns} FROM exclusions FINAL WHERE doc = {doc:UInt64} ORDER BY at`,
    { doc: docId },
  )
  return rows.map(exclusionOf)
}

/** Documents that a list has now, ids ascending. */
export async function excludedBy(sql: Sql, list: string): Promise<At<Exclusion>[]> {
  await sql.settle(['exclusions'])
  const rows = await sql.query<Row & { doc: string }>(
    `SELECT ${columns} FROM exclusions WHERE list = {list:String} ORDER BY doc, at DESC LIMIT 1 BY doc`,
    { list },
  )
  return rows.map(exclusionOf).filter(({ value }) => value.excluded)
}

/** The partition of each of these documents; those that the corpus does not have are left out. */
export async function partitionsOf(sql: Sql, ids: readonly DocumentId[]): Promise<Map<DocumentId, number>> {
  const found = new Map<DocumentId, number>()
  const statement = (list: string) =>
    `SELECT doc, max(part) AS partition FROM corpus WHERE doc IN (${list}) AND at_document IS NOT NULL GROUP BY doc`
  for await (const { doc, partition } of rowsOfLists<{ doc: string; partition: number }>(sql, ids, statement))
    found.set(idOfRow(doc), Number(partition))
  return found
}

/** Documents whose rows have these values, as texts, at these paths: ids ascending. */
export async function idsWhere(
  sql: Sql,
  conditions: readonly { readonly path: readonly string[]; readonly value: string }[],
): Promise<DocumentId[]> {
  const where = conditions.map(
    (_, i) => `JSONExtractString(meta, ${pathOf(i, conditions[i]!.path)}) = {value${i}:String}`,
  )
  const parameters = Object.fromEntries(
    conditions.flatMap(({ path, value }, i) => [[`value${i}`, value], ...path.map((key, k) => [`key${i}x${k}`, key])]),
  )
  const rows = await sql.query<{ doc: string }>(
    `SELECT DISTINCT doc FROM documents WHERE ${where.join(' AND ')} ORDER BY doc`,
    parameters,
  )
  return rows.map(({ doc }) => idOfRow(doc))
}

const pathOf = (i: number, path: readonly string[]): string => path.map((_, k) => `{key${i}x${k}:String}`).join(', ')

/** What a list excludes now. */
export interface ListNow extends Pick<Exclusion, 'list' | 'reason'> {
  readonly documents: number
  /** Who: all that its exclusions name. */
  readonly by: readonly string[]
  /** When the last of them was recorded. */
  readonly lastMs: number
}

/** Lists that exclude documents, by name. */
export async function listsNow(sql: Sql): Promise<ListNow[]> {
  await sql.settle(['exclusions'])
  const last =
    'SELECT list, argMax(excluded, at) AS isOut, argMax(record, at) AS last FROM exclusions GROUP BY doc, list'
  const rows = await sql.query<{ list: string; documents: string; reason: string; by: string[]; lastMs: string }>(
    `SELECT list, count() AS documents, any(JSONExtractString(last, 'reason')) AS reason,
       arraySort(groupUniqArray(JSONExtractString(last, 'by'))) AS by, max(JSONExtractInt(last, 'recordedMs')) AS lastMs
     FROM (${last}) WHERE isOut = 1 GROUP BY list ORDER BY list`,
  )
  return rows.map(({ documents, reason, lastMs, ...row }) => ({
    ...{ ...row, documents: Number(documents), reason: reason as Exclusion['reason'], lastMs: Number(lastMs) },
  }))
}

function exclusionOf({ doc, list, part, at, excluded, record }: Row & { doc: string }): At<Exclusion> {
  const rest = JSON.parse(record) as Omit<Exclusion, 'docId' | 'list' | 'excluded'>
  const value = { docId: asDocumentId(BigInt(doc)), list, excluded: excluded === 1, ...rest }
  return { partition: part as At<Exclusion>['partition'], offset: Number(at) as At<Exclusion>['offset'], value }
}

/** The lists that have a document as of these offsets, each with the record that says so. @param exclusions all of the document, in log order */
export function listsAsOf(exclusions: readonly At<Exclusion>[], labelOffsets: readonly TopicOffset[]): At<Exclusion>[] {
  const last = new Map<string, At<Exclusion>>()
  for (const one of exclusions) {
    const limit = labelOffsets.find(
      ({ topic, partition }) => topic === topics.exclusions.name && partition === one.partition,
    )
    if (one.offset < (limit?.offsetNext ?? 0)) last.set(one.value.list, one)
  }
  return [...last.values()].filter(({ value }) => value.excluded)
}
