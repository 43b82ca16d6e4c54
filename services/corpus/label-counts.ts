import type { DocumentId } from '../../schemas/index.ts'
import type { LabelColumn } from '../../topologies/corpus-store.ts'
import type { Sql } from '../runtime/clickhouse/sql.ts'
import { columnNames } from './columns.ts'
import { amongIds, idOfRow, rowsOfIds } from './ids.ts'
import { erasures } from './text-keys.ts'

/** Versions of labelers by actor. The corpus has columns for each of them (`ClickHouseStore.ensureColumns`). */
type Versions = ReadonlyMap<string, string>

/** True for documents that every actor has labelled. */
const isComplete = (versions: Versions): string =>
  [...versions].map(([actor, version]) => `isNotNull(${columnNames({ actor, version }).label})`).join(' AND ')

/** How many documents there are, and how many of them every actor has labelled. */
export async function countLabelled(sql: Sql, versions: Versions): Promise<{ documents: number; complete: number }> {
  const [row] = await sql.query<{ documents: string; complete: string }>(
    `SELECT count() AS documents, countIf(${isComplete(versions)}) AS complete FROM corpus FINAL WHERE isNotNull(at_document)`,
  )
  return { documents: Number(row!.documents), complete: Number(row!.complete) }
}

/** How many of these documents are in the corpus and lack a label. */
export async function countIncomplete(sql: Sql, versions: Versions, ids: readonly DocumentId[]): Promise<number> {
  const statement = `SELECT count() AS documents FROM corpus FINAL WHERE isNotNull(at_document) AND ${amongIds} AND NOT (${isComplete(versions)})`
  let count = 0
  for await (const { documents } of rowsOfIds<{ documents: string }>(sql, statement, ids)) count += Number(documents)
  return count
}

/** Documents that lack a label, and whose erasure somebody has asked for. */
export async function incompleteThoughErased(sql: Sql, versions: Versions): Promise<DocumentId[]> {
  const rows = await sql.query<{ doc: string }>(
    `SELECT doc FROM corpus FINAL WHERE isNotNull(at_document) AND NOT (${isComplete(versions)})
       AND doc IN (SELECT doc FROM exclusions WHERE ${erasures}) ORDER BY doc`,
  )
  return rows.map(({ doc }) => idOfRow(doc))
}

/** Documents with the same labels, in the order of the columns asked for. */
export interface LabelledDocuments {
  readonly labels: readonly number[]
  readonly documents: number
}

/** Counts these documents, all labelled, by labels; a combination may be yielded several times. */
export async function* countByLabels(
  sql: Sql,
  columns: readonly LabelColumn[],
  ids: readonly DocumentId[],
): AsyncGenerator<LabelledDocuments> {
  const names = columns.map((column) => columnNames(column).label)
  const listed = names.join(', ')
  const statement = `SELECT ${listed}, count() AS documents FROM corpus FINAL WHERE ${amongIds} GROUP BY ${listed}`
  for await (const row of rowsOfIds<Record<string, number | string>>(sql, statement, ids))
    yield { labels: names.map((name) => Number(row[name])), documents: Number(row.documents) }
}
