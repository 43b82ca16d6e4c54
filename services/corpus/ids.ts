import { asDocumentId, type DocumentId } from '../../schemas/index.ts'
import type { Sql, SqlParameters } from '../runtime/clickhouse/sql.ts'

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

/** Ids in a statement's text, which may be longer than a URL: a quarter of what ClickHouse parses by default. */
const idsPerStatement = 3000

/** The rows of statements for any number of ids. @param statement for a list of them, as SQL */
export async function* rowsOfLists<Row>(
  sql: Sql,
  ids: readonly bigint[],
  statement: (list: string) => string,
  parameters: SqlParameters = {},
): AsyncGenerator<Row> {
  for (let first = 0; first < ids.length; first += idsPerStatement)
    yield* await sql.query<Row>(statement(ids.slice(first, first + idsPerStatement).join(', ')), parameters)
}
