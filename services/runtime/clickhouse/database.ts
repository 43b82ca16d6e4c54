import { WinnowError } from '../errors.ts'
import { createClickHouse } from './client.ts'

/** Names that can be quoted by backticks alone. */
const quoted = (name: string): string => `\`${name.replaceAll(/[\\`]/g, (mark) => `\\${mark}`)}\``

export const createDatabaseStatement = (name: string): string => `CREATE DATABASE IF NOT EXISTS ${quoted(name)}`

/**
 * Creates the configured database if it is missing and the user is allowed to. @throws WinnowError CONFIGURATION with the statement to be run
 * by somebody who is
 */
export async function ensureDatabase(options: {
  url: string
  database: string
  username?: string
  password?: string
}): Promise<void> {
  const { database, ...server } = options
  // The embedded engine manages its own databases.
  if (server.url.startsWith('chdb:')) return
  await using opened = new AsyncDisposableStack()
  const own = opened.adopt(await createClickHouse(options), (one) => one.close())
  try {
    await own.sql.query('SELECT 1')
    return
  } catch (error) {
    if (!isUnknownDatabase(error)) throw error
  }
  // Connects without a database, so to the user's default.
  const users = opened.adopt(await createClickHouse(server), (one) => one.close())
  const statement = createDatabaseStatement(database)
  await users.sql.command(statement).catch((cause: unknown) => {
    throw new WinnowError('CONFIGURATION', `ClickHouse has no database ${database}, and it could not be created`, {
      hint: `Ask somebody with the rights to run: ${statement}`,
      cause,
    })
  })
}

export const isUnknownDatabase = (error: unknown): boolean =>
  error instanceof Error && /UNKNOWN_DATABASE|Database \S+ does(n't| not) exist/.test(error.message)
