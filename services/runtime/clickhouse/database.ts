import { WinnowError } from '../errors.ts'
import { createClickHouse } from './client.ts'

/** Names that need no quoting but what this gives them. */
const quoted = (name: string): string => `\`${name.replaceAll(/[\\`]/g, (mark) => `\\${mark}`)}\``

export const createDatabaseStatement = (name: string): string => `CREATE DATABASE IF NOT EXISTS ${quoted(name)}`

/**
 * Makes the database that is configured, where it is missing and the user may.
 * @throws WinnowError CONFIGURATION with the statement for somebody who may
 */
export async function ensureDatabase(options: {
  url: string
  database: string
  username?: string
  password?: string
}): Promise<void> {
  const { database, ...server } = options
  // The embedded one has databases of its own.
  if (server.url.startsWith('chdb:')) return
  await using opened = new AsyncDisposableStack()
  const own = opened.adopt(await createClickHouse(options), (one) => one.close())
  try {
    await own.sql.query('SELECT 1')
    return
  } catch (error) {
    if (!isUnknownDatabase(error)) throw error
  }
  // Without a database: in the user's own.
  const users = opened.adopt(await createClickHouse(server), (one) => one.close())
  const statement = createDatabaseStatement(database)
  await users.sql.command(statement).catch((cause: unknown) => {
    throw new WinnowError('CONFIGURATION', `ClickHouse has no database ${database}, and it could not be made`, {
      hint: `Let somebody who may run: ${statement}`,
      cause,
    })
  })
}

export const isUnknownDatabase = (error: unknown): boolean =>
  error instanceof Error && /UNKNOWN_DATABASE|Database \S+ does(n't| not) exist/.test(error.message)
