import { WinnowError } from '../errors.ts'
import { createClickHouse } from './client.ts'
import { quoted } from './quoted.ts'
import type { Sql } from './sql.ts'

export const createDatabaseStatement = (name: string, cluster?: string): string =>
  `CREATE DATABASE IF NOT EXISTS ${quoted(name)}${cluster === undefined ? '' : ` ON CLUSTER ${quoted(cluster)}`}`

/**
 * Creates the configured database if it is missing and the user is allowed to. @throws WinnowError CONFIGURATION with the statement to be run
 * by somebody who is
 * @param sql of a client whose default is that database
 */
export async function ensureDatabase(
  sql: Sql,
  {
    database,
    cluster,
    ...server
  }: { url: string; database: string; cluster?: string; username?: string; password?: string },
): Promise<void> {
  // The embedded engine manages its own databases.
  if (server.url.startsWith('chdb:')) return
  try {
    await sql.query('SELECT 1')
    return
  } catch (error) {
    if (!isUnknownDatabase(error)) throw error
  }
  // Connects without a database, so to the user's default.
  await using opened = new AsyncDisposableStack()
  const users = opened.adopt(await createClickHouse(server), (one) => one.close())
  const statement = createDatabaseStatement(database, cluster)
  await users.sql.command(statement).catch((cause: unknown) => {
    if (cause instanceof WinnowError && cause.code === 'UNREACHABLE') throw cause
    throw new WinnowError('CONFIGURATION', `ClickHouse has no database ${database}, and it could not be created`, {
      hint: `Ask somebody with the rights to run: ${statement}`,
      cause,
    })
  })
}

export const isUnknownDatabase = (error: unknown): boolean =>
  error instanceof Error && /UNKNOWN_DATABASE|Database \S+ does(n't| not) exist/.test(error.message)
