import { asDocumentId, type DocumentId } from '../../schemas/index.ts'
import type { Sql } from '../runtime/clickhouse/sql.ts'

/** The id in a row: ClickHouse's JSON has 64-bit integers as strings. */
export const idOfRow = (doc: string): DocumentId => asDocumentId(BigInt(doc))

/** Parameters go into the URL, which servers limit to 16 KiB or more. */
const idsPerQuery = 256

/** Selects the documents that `rowsOfIds` asks for. */
export const amongIds = 'doc IN (SELECT arrayJoin({ids:Array(UInt64)}))'

/** The rows of a statement with `amongIds`, for any number of ids: it runs once for as many as fit into a request. */
export async function* rowsOfIds<Row>(sql: Sql, statement: string, ids: readonly DocumentId[]): AsyncGenerator<Row> {
  for (let first = 0; first < ids.length; first += idsPerQuery)
    yield* await sql.query<Row>(statement, { ids: ids.slice(first, first + idsPerQuery) })
}
