import { Readable } from 'node:stream'
import { type ClickHouseClient, ClickHouseError } from '@clickhouse/client'
import { WinnowError } from '../errors.ts'
import { type Cluster, localTable, onCluster } from './cluster.ts'
import { quoted } from './quoted.ts'

/** Values of `{name:Type}` placeholders. 64-bit ones as bigint. */
export type SqlParameters = Record<
  string,
  string | number | bigint | boolean | null | readonly (string | number | bigint)[]
>

export interface InsertOptions {
  /** The columns that the rows give; default: all of the table's. */
  columns?: readonly [string, ...string[]]
  /**
   * A repeat with the same token inserts nothing while the table's deduplication window still holds it. The same token must always come with
   * the same rows: others would be silently dropped.
   */
  deduplicationToken?: string
}

/**
 * What winnow needs of ClickHouse. 64-bit integers are returned as decimal strings (`BigInt(row.id)`), and passed as bigint or string. Errors
 * are WinnowErrors: UNREACHABLE (retriable) when nobody answers, else UNEXPECTED with ClickHouse's own message.
 */
export class Sql {
  readonly client: ClickHouseClient
  readonly #cluster: Cluster | undefined
  #database: Promise<string> | undefined

  /** @param cluster over which tables are spread; without one they are on the server that answers */
  constructor(client: ClickHouseClient, cluster?: Cluster) {
    this.client = client
    this.#cluster = cluster
  }

  /** All rows of a SELECT, as objects. */
  async query<Row>(sql: string, parameters: SqlParameters = {}): Promise<Row[]> {
    return await attempt(sql, async () => {
      const result = await this.client.query({ ...reading(sql, parameters), format: 'JSONEachRow' })
      return await result.json<Row>()
    })
  }

  /** The output as text, in the statement's FORMAT (default: tab-separated). */
  async queryText(sql: string, parameters: SqlParameters = {}): Promise<string> {
    return await attempt(sql, async () => {
      const { stream } = await this.client.exec(reading(sql, parameters))
      const chunks: Buffer[] = []
      for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk)
      return Buffer.concat(chunks).toString('utf8')
    })
  }

  /** Yields rows in arrays as they arrive, for results too large to hold. */
  async *stream<Row>(sql: string, parameters: SqlParameters = {}): AsyncGenerator<Row[]> {
    const result = await attempt(sql, () => this.client.query({ ...reading(sql, parameters), format: 'JSONEachRow' }))
    try {
      for await (const rows of result.stream<Row>()) yield rows.map((row) => row.json())
    } catch (error) {
      throw translate(sql, error)
    } finally {
      result.close()
    }
  }

  /** The single UInt64 column of a SELECT, in chunks as it arrives: not parsed from text, and not held. */
  async *ids(sql: string, parameters: SqlParameters = {}): AsyncGenerator<BigUint64Array> {
    const { stream } = await attempt(sql, () => this.client.exec(reading(`${sql} FORMAT RowBinary`, parameters)))
    let rest = Buffer.alloc(0)
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
        const whole = bytes.length - (bytes.length % 8)
        // A copy, since a typed array must be aligned to its element size.
        if (whole > 0) yield new BigUint64Array(new Uint8Array(bytes.subarray(0, whole)).buffer)
        rest = Buffer.from(bytes.subarray(whole))
      }
    } catch (error) {
      throw translate(sql, error)
    }
    if (rest.length > 0)
      throw new WinnowError('UNEXPECTED', `ClickHouse ended its answer in the middle of an id (${sql.slice(0, 200)})`)
  }

  /** Inserts rows as JSONEachRow; sends nothing if there are no rows. */
  async insert<Row extends object>(table: string, rows: readonly Row[], options: InsertOptions = {}): Promise<void> {
    if (rows.length === 0) return
    await attempt(`INSERT INTO ${table}`, async () => {
      // Lines of our own, since the client's JSON.stringify rejects bigint.
      const lines = rows.map((row) => JSON.stringify(row, bigintAsString)).join('\n')
      const columns = options.columns ? ` (${options.columns.join(', ')})` : ''
      await this.client.command({
        query: `INSERT INTO ${table}${columns} FORMAT JSONEachRow\n${lines}`,
        // Set on every insert: where a session outlives a request, a token left from another insert would drop these rows.
        clickhouse_settings: { insert_deduplication_token: options.deduplicationToken ?? '' },
      })
    })
  }

  /** Inserts rows that are already encoded as RowBinary. */
  async insertBinary(table: string, columns: readonly string[], rows: Uint8Array): Promise<void> {
    if (rows.length === 0) return
    await attempt(`INSERT INTO ${table}`, async () => {
      const { stream } = await this.client.exec({
        query: `INSERT INTO ${table} (${columns.join(', ')}) FORMAT RowBinary`,
        values: Readable.from([rows], { objectMode: false }),
        // See `insert`.
        clickhouse_settings: { insert_deduplication_token: '' },
      })
      // The connection is free for the next statement once the empty response is read.
      await stream.resume().toArray()
    })
  }

  /** A statement without output: DDL, INSERT ... SELECT. With a cluster it is the statements that do the same there (`onCluster`). */
  async command(sql: string, parameters: SqlParameters = {}): Promise<void> {
    const statements = this.#cluster === undefined ? [sql] : onCluster(sql, this.#cluster, await this.#databaseName())
    for (const query of statements)
      await attempt(query, () => this.client.command({ query, query_params: { ...parameters } }))
  }

  /** Waits until every replica has all rows that have been inserted into these tables. Without a cluster there is nothing to wait for. */
  async settle(tables: readonly string[]): Promise<void> {
    if (this.#cluster === undefined) return
    const database = quoted(await this.#databaseName())
    for (const table of tables) {
      const query = `SYSTEM SYNC REPLICA ON CLUSTER ${quoted(this.#cluster.name)} ${database}.${localTable(table)} LIGHTWEIGHT`
      await attempt(query, () => this.client.command({ query }))
    }
  }

  async #databaseName(): Promise<string> {
    this.#database ??= this.query<{ name: string }>('SELECT currentDatabase() AS name').then(([row]) => row!.name)
    return await this.#database
  }

  /** UNREACHABLE if nobody answers. */
  async ping(): Promise<void> {
    const answer = await this.client.ping()
    if (!answer.success) throw translate('ping', answer.error)
  }

  async close(): Promise<void> {
    await this.client.close()
  }
}

/** For reads that cannot change anything, whatever their text contains. 2: may set settings of their own. */
const reading = (sql: string, parameters: SqlParameters) => ({
  query: sql,
  query_params: { ...parameters },
  clickhouse_settings: { readonly: '2' as const },
})

const bigintAsString = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value)

async function attempt<Result>(sql: string, call: () => Promise<Result>): Promise<Result> {
  try {
    return await call()
  } catch (error) {
    throw translate(sql, error)
  }
}

const connectionErrors = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ETIMEDOUT',
  'EPIPE',
  'EAI_AGAIN',
])

const typeOf = (error: unknown): string => (error instanceof ClickHouseError ? (error.type ?? '') : '')

function translate(sql: string, error: unknown): Error {
  if (error instanceof WinnowError) return error
  const message = error instanceof Error ? error.message : String(error)
  const code = (error as { code?: unknown } | null)?.code
  const unreachable =
    (typeof code === 'string' && connectionErrors.has(code)) || /socket hang up|Timeout error/i.test(message)
  if (unreachable && !(error instanceof ClickHouseError)) {
    return new WinnowError('UNREACHABLE', `ClickHouse does not answer: ${message || String(code)}`, {
      hint: 'Is it running, and is WINNOW_CLICKHOUSE_URL right?',
      cause: error,
    })
  }
  if (/NOT_ENOUGH_SPACE|No space left on device|not enough space/i.test(message)) {
    return new WinnowError('STORAGE_FULL', `ClickHouse has no room left: ${message.trim()}`, {
      hint: 'Free space on its disk and start again: what was not written is processed again.',
      cause: error,
    })
  }
  if (/AUTHENTICATION_FAILED|REQUIRED_PASSWORD|WRONG_PASSWORD|UNKNOWN_USER/.test(typeOf(error))) {
    return new WinnowError('CONFIGURATION', `ClickHouse refuses the login: ${message.trim()}`, {
      hint: 'Check clickhouse.username, and WINNOW_CLICKHOUSE_PASSWORD or the file of WINNOW_CLICKHOUSE_PASSWORD_FILE.',
      cause: error,
    })
  }
  const kind = error instanceof ClickHouseError ? ` ${error.type ?? ''}` : ''
  const head = sql.replace(/\s+/g, ' ').slice(0, 200)
  return new WinnowError('UNEXPECTED', `ClickHouse refused a statement:${kind} ${message.trim()} (${head})`, {
    cause: error,
  })
}
