import { timingSafeEqual } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ChdbEngine, Statement } from './engine.ts'
import { checkStatement } from './guard.ts'

/** ClickHouse's HTTP interface in front of an embedded engine. */
export interface Front {
  url: string
  /** `url` with user and password in it. */
  address: string
  close(): Promise<void>
}

/** The user name that goes with the data folder's password. */
export const frontUser = 'winnow'

// Parameters of the HTTP layer that are not settings; the engine would reject them as unknown.
// biome-ignore format: a list of names
const transportOnly = new Set([
  'query', 'database', 'default_format', 'readonly', 'query_id', 'session_id', 'session_timeout', 'role', 'user', 'password', 'quota_key',
  'wait_end_of_query', 'send_progress_in_http_headers', 'http_headers_progress_interval_ms', 'enable_http_compression',
  'http_zlib_compression_level', 'http_response_buffer_size', 'buffer_size', 'compress', 'decompress', 'stacktrace',
  'cancel_http_readonly_queries_on_client_close',
])

// ClickHouse's HTTP status by error code where it is not 500 (from its HTTPHandler; the part that clients act on).
// biome-ignore format: pairs
const statusByCode = new Map([
  [36, 400], [497, 403], [516, 401], [62, 400], [27, 400], [26, 400], [41, 400], [43, 400], [53, 400], [115, 404], [47, 404], [60, 404], [81, 404], [158, 413],
])

const binaryInsert =
  /^(\s*INSERT\s.*?)\s+FORMAT\s+(RowBinary\w*|Native|Parquet|Arrow\w*|Avro|ORC|MsgPack|BSONEachRow)\s*$/is

// A batch of records is at most a few hundred megabytes; a longer body is a mistake and would not fit a JavaScript string.
const bodyBytesMax = 400 * 1024 * 1024

// Statements and parameters may come in the URL; ClickHouse's own limit is 1 MiB too.
const addressBytesMax = 1024 * 1024

/**
 * Serves `engine` on the loopback (`port` 0: any free one): the query in the body or in `?query=` with the rows in the body, `param_*` (also
 * as a form), settings, `database`, `default_format`, /ping. Responses are not streamed: the engine returns them in one piece. Everything
 * except /ping needs `password`. A GET only reads, as in ClickHouse, and so does a request with `readonly`; nothing reaches beyond the
 * engine's own tables (access.ts, guard.ts). Requests from web pages are refused whatever they know: a page has no business here, and a name
 * can be made to resolve to the loopback (DNS rebinding).
 */
export async function startFront(engine: ChdbEngine, password: string, port = 0): Promise<Front> {
  const server = createServer({ maxHeaderSize: addressBytesMax }, (request, response) => {
    answer({ engine, password }, request, response).catch((error: unknown) => refuse(response, error))
  })
  server.keepAliveTimeout = 60_000
  server.requestTimeout = 0
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: `http://${host}`,
    address: `http://${frontUser}:${encodeURIComponent(password)}@${host}`,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeIdleConnections()
      // Running requests get a moment; a connection that stays open would keep the process alive.
      const late = setTimeout(() => server.closeAllConnections(), 2_000)
      await closed
      clearTimeout(late)
    },
  }
}

interface Served {
  engine: ChdbEngine
  password: string
}

/** Judged by what a browser sends: the page's origin, its relation to this server (an image's GET has only this), the host name. */
function ofWebPage({ headers }: IncomingMessage): boolean {
  const host = (headers.host ?? '').replace(/:\d+$/, '').toLowerCase()
  // none: typed into the address bar.
  const site = headers['sec-fetch-site'] ?? 'none'
  return headers.origin !== undefined || site !== 'none' || !['127.0.0.1', 'localhost'].includes(host)
}

/** @throws Error as the engine's, unless the request has the password (in either of the headers that ClickHouse reads) */
function logIn({ headers }: IncomingMessage, password: string): void {
  const basic = /^Basic (.+)$/i.exec(headers.authorization ?? '')?.[1]
  const given = basic === undefined ? `${headers['x-clickhouse-user']}:${headers['x-clickhouse-key']}` : decoded(basic)
  const [a, b] = [given, `${frontUser}:${password}`].map((text) => Buffer.from(text)) as [Buffer, Buffer]
  if (a.length === b.length && timingSafeEqual(a, b)) return
  throw new Error(
    `Code: 516. DB::Exception: User ${frontUser} and the password in the data folder (cluster/clickhouse-password) are needed. (AUTHENTICATION_FAILED)`,
  )
}

const decoded = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8')

async function answer(served: Served, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { engine } = served
  if (ofWebPage(request)) {
    response.writeHead(403).end('Requests of web pages are refused.\n')
    return
  }
  const url = new URL(request.url ?? '/', 'http://127.0.0.1')
  if (request.method === 'GET' && (url.pathname === '/ping' || (url.pathname === '/' && url.search === ''))) {
    response.writeHead(200, { 'content-type': 'text/plain' }).end('Ok.\n')
    return
  }
  logIn(request, served.password)
  if (request.method !== 'GET' && request.method !== 'POST')
    throw new Error('Code: 36. DB::Exception: GET and POST are answered here. (BAD_ARGUMENTS)')
  const body = await readBody(request)
  const search = url.searchParams
  const type = request.headers['content-type'] ?? ''
  const queryId = search.get('query_id') ?? crypto.randomUUID()
  const binary = binaryInsert.exec(search.get('query') ?? '')
  let bytes: Uint8Array
  let statement: Statement
  if (type.startsWith('multipart/form-data')) {
    // Long parameters, and then the query too, come as form fields.
    const form = await new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData()
    for (const [name, value] of form) search.append(name, String(value))
    statement = statementOf(search, request, '')
    checkStatement(statement.sql)
    bytes = await engine.run(statement)
  } else if (binary) {
    // The engine takes statements as text, which these bytes are not, so it reads them from a file.
    checkStatement(binary[0])
    const file = join(tmpdir(), `winnow-insert-${crypto.randomUUID()}`)
    await writeFile(file, body, { mode: 0o600 })
    try {
      search.set('query', `${binary[1]} FROM INFILE '${file}' FORMAT ${binary[2]}`)
      statement = statementOf(search, request, '')
      bytes = await engine.run(statement)
    } finally {
      await rm(file, { force: true })
    }
  } else {
    statement = statementOf(search, request, body.toString('utf8'))
    checkStatement(statement.sql)
    bytes = await engine.run(statement)
  }
  response.writeHead(200, {
    'content-type': /json/i.test(statement.format ?? '')
      ? 'application/json; charset=UTF-8'
      : 'text/plain; charset=UTF-8',
    'x-clickhouse-query-id': queryId,
    'x-clickhouse-format': statement.format ?? 'TabSeparated',
    'x-clickhouse-timezone': 'UTC',
    'x-clickhouse-summary':
      '{"read_rows":"0","read_bytes":"0","written_rows":"0","written_bytes":"0","result_rows":"0","result_bytes":"0","elapsed_ns":"0"}',
    'content-length': bytes.byteLength,
  })
  response.end(bytes)
}

/** Query and body are concatenated, as ClickHouse does: `INSERT ... FORMAT X` followed by the rows. */
function statementOf(search: URLSearchParams, request: IncomingMessage, body: string): Statement {
  const query = search.get('query')
  const settings = new Map<string, string>()
  const parameters = new Map<string, string>()
  for (const [name, value] of search) {
    if (name.startsWith('param_')) parameters.set(name.slice('param_'.length), value)
    else if (!transportOnly.has(name)) settings.set(name, value)
  }
  const format = request.headers['x-clickhouse-format'] ?? search.get('default_format')
  return {
    sql: query === null ? body : body === '' ? query : `${query}\n${body}`,
    settings,
    parameters,
    readonly: request.method === 'GET' || (search.get('readonly') ?? '0') !== '0',
    database: search.get('database') ?? (request.headers['x-clickhouse-database'] as string | undefined) ?? 'default',
    ...(typeof format === 'string' && { format }),
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bodyBytesMax)
      throw new Error(`Code: 158. DB::Exception: A request holds at most ${bodyBytesMax} bytes. (TOO_MANY_ROWS)`)
    chunks.push(chunk)
  }
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    throw new Error(`Code: 36. DB::Exception: Bodies compressed with ${encoding} are not read here. (BAD_ARGUMENTS)`)
  }
  return Buffer.concat(chunks)
}

function refuse(response: ServerResponse, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  const code = Number(/Code: (\d+)/.exec(message)?.[1] ?? 1002)
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.writeHead(statusByCode.get(code) ?? 500, {
    'content-type': 'text/plain; charset=UTF-8',
    'x-clickhouse-exception-code': code,
  })
  response.end(message)
}
