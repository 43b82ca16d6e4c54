import { randomBytes } from 'node:crypto'
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client'
import { withoutLogin } from '../address.ts'
import { WinnowError } from '../errors.ts'
import { type Cluster, clusterSettings } from './cluster.ts'
import { ChdbEngine } from './engine.ts'
import { startFront } from './front.ts'
import { Sql } from './sql.ts'

/** Of an embedded ClickHouse: known to nobody but who started it. */
export const newPassword = (): string => randomBytes(24).toString('base64url')

export interface ClickHouse {
  /** The address that `client` talks to, without credentials. */
  url: string
  client: ClickHouseClient
  sql: Sql
  close(): Promise<void>
}

// A sink's batch of 100,000 rows takes a second; minutes mean that nobody will answer.
const requestTimeoutMs = 300_000

/**
 * ClickHouse by its address: `http(s)://user:password@host:port` or, embedded in this process, `chdb:/folder`.
 * The embedded one is reached through its own HTTP front, so that both use the same calls, streams and errors (chDB's own connection for the
 * client leaks settings between calls and returns 64-bit integers as JavaScript numbers). Does not connect; `client.ping()` does.
 */
export async function createClickHouse(options: {
  url: string
  database?: string
  /** Used instead of those in the address. */
  username?: string
  password?: string
  /** Spreads the tables over this cluster. */
  cluster?: Cluster | undefined
}): Promise<ClickHouse> {
  const { url, database, username = '', password = '', cluster } = options
  if (url.startsWith('chdb:')) {
    if (cluster !== undefined) {
      throw new WinnowError('CONFIGURATION', `the embedded ClickHouse has no cluster ${cluster.name}`, {
        hint: 'Remove clickhouse.cluster, or name a ClickHouse server by clickhouse.url.',
      })
    }
    const engine = await ChdbEngine.open(url.slice('chdb:'.length))
    const front = await startFront(engine, newPassword())
    const clickHouse = connect(front.address, database)
    return {
      ...clickHouse,
      close: async () => {
        await clickHouse.close()
        await front.close()
        await engine.close()
      },
    }
  }
  if (!/^https?:\/\//.test(url)) {
    throw new WinnowError('CONFIGURATION', `ClickHouse's address ${url} is neither http(s)://... nor chdb:/folder`, {
      hint: 'For example WINNOW_CLICKHOUSE_URL=http://user:password@127.0.0.1:8123',
    })
  }
  return connect(url, database, { username, password }, cluster)
}

function connect(
  address: string,
  database: string | undefined,
  login = { username: '', password: '' },
  cluster?: Cluster,
): ClickHouse {
  const url = new URL(address)
  const [username, password] =
    login.username === ''
      ? [decodeURIComponent(url.username), decodeURIComponent(url.password)]
      : [login.username, login.password]
  const client = createClient({
    url: withoutLogin(address),
    ...(username !== '' && { username, password }),
    ...(database !== undefined && { database }),
    request_timeout: requestTimeoutMs,
    // Long lists of ids do not fit into a URL.
    use_multipart_params_auto: true,
    // Errors reach the caller, who logs them; the client would log to stdout.
    log: { level: ClickHouseLogLevel.OFF },
    clickhouse_settings: {
      output_format_json_quote_64bit_integers: 1,
      ...(cluster !== undefined && clusterSettings),
    },
  })
  return { url: withoutLogin(address), client, sql: new Sql(client, cluster), close: () => client.close() }
}
