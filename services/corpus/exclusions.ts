import { asDocumentId, type DocumentId, type Exclusion, type TopicOffset, topics } from '../../schemas/index.ts'
import type { At } from '../../topologies/corpus-store.ts'
import type { Sql } from '../runtime/clickhouse/sql.ts'

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
export async function excludedBy(sql: Sql, list: string): Promise<Exclusion[]> {
  await sql.settle(['exclusions'])
  const rows = await sql.query<Row & { doc: string }>(
    `SELECT ${columns} FROM exclusions WHERE list = {list:String} ORDER BY doc, at DESC LIMIT 1 BY doc`,
    { list },
  )
  return rows.map((row) => exclusionOf(row).value).filter(({ excluded }) => excluded)
}

/** How many documents each list has now. */
export async function countByList(sql: Sql): Promise<Map<string, number>> {
  await sql.settle(['exclusions'])
  const rows = await sql.query<{ list: string; documents: string }>(
    `SELECT list, count() AS documents FROM (SELECT list, doc FROM exclusions GROUP BY doc, list HAVING argMax(excluded, at) = 1) GROUP BY list`,
  )
  return new Map(rows.map(({ list, documents }) => [list, Number(documents)]))
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
