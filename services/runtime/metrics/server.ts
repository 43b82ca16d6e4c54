import { timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { WinnowError } from '../errors.ts'
import type { Metrics } from './metrics.ts'

export interface MetricsServer {
  /** For example http://127.0.0.1:9464/metrics */
  readonly url: string
  close(): Promise<void>
}

/** Prometheus's list of default ports assigns this one to OpenTelemetry's exporters; nothing else of ours uses it. */
export const metricsPortDefault = 9464

/** Where metrics are served, and to whom. */
export interface MetricsAddress {
  /** 0: any free one. */
  readonly port?: number | undefined
  readonly host: string
  /** What remote clients must send; without it they are refused, unless `openly` is set. */
  readonly token?: string | undefined
  readonly openly: boolean
}

/** `localhost` included: it is this machine. */
const loopback = /^(127\.\d+\.\d+\.\d+|localhost|\[?::1\]?)$/

/**
 * Serves /metrics and what orchestrators ask: /livez, 200 as long as this process answers at all; /healthz, 200, or 503 with a line for each
 * dependency that does not answer; /readyz, 200 if everything that the process runs has started and its dependencies answer, else 503. On
 * loopback only this machine has access; on another address, clients with the token or, if `openly` is set, all. Without a port it takes the
 * usual one, or a free one if that is taken: several services may share a machine.
 * @throws WinnowError CONFIGURATION for an address that others can reach without a token, or a configured port that is taken
 */
export async function serveMetrics(metrics: Metrics, address: MetricsAddress): Promise<MetricsServer> {
  const { host, token, openly } = address
  if (!loopback.test(host) && token === undefined && !openly) {
    throw new WinnowError(
      'CONFIGURATION',
      `metrics.host ${host} can be reached by others, but metrics.token is not set`,
      {
        hint: 'Set metrics.token (WINNOW_METRICS_TOKEN), or metrics.openly: true if the network itself is closed.',
      },
    )
  }
  const answer = answerWith(metrics, address)
  const server = createServer((request, response) => {
    answer(request).then(
      ({ status, type, body }) => response.writeHead(status, { 'content-type': type }).end(body),
      (error: unknown) =>
        response.writeHead(500, { 'content-type': 'text/plain' }).end(`${(error as Error).message}\n`),
    )
  })
  const port = await listen(server, address)
  const shown = host.includes(':') ? `[${host}]` : host
  return {
    url: `http://${shown}:${port}/metrics`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

type Answer = { status: number; type: string; body: string }
const text = 'text/plain; charset=utf-8'
const ok: Answer = { status: 200, type: text, body: 'ok\n' }

function answerWith(metrics: Metrics, { host, token }: MetricsAddress): (request: IncomingMessage) => Promise<Answer> {
  return async ({ url = '', method, headers }) => {
    // A page in somebody's browser could reach a local port under a name of its own.
    const named = (headers.host ?? '').replace(/:\d+$/, '')
    if (loopback.test(host) && !loopback.test(named))
      return { status: 403, type: text, body: 'this address answers to 127.0.0.1 and localhost only\n' }
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, type: text, body: 'only GET\n' }
    const path = url.split('?')[0]
    if (path === '/livez') return ok
    const { reason } = metrics.readiness
    if (path === '/readyz' && reason !== undefined) return { status: 503, type: text, body: `${reason}\n` }
    if (path === '/healthz' || path === '/readyz') {
      const found = await metrics.problems()
      if (found.length === 0) return ok
      // Clients without the token are not told what is where.
      const told = token === undefined || isToken(headers.authorization, token)
      const sentences = told ? found : ['something that this service depends on does not answer']
      return { status: 503, type: text, body: sentences.map((sentence) => `${sentence}\n`).join('') }
    }
    if (path !== '/metrics') return { status: 404, type: text, body: 'metrics are at /metrics\n' }
    if (token !== undefined && !isToken(headers.authorization, token))
      return { status: 401, type: text, body: 'send the token as Authorization: Bearer TOKEN\n' }
    return { status: 200, type: metrics.registry.contentType, body: await metrics.registry.metrics() }
  }
}

function isToken(authorization: string | undefined, token: string): boolean {
  const [given, wanted] = [Buffer.from(authorization ?? ''), Buffer.from(`Bearer ${token}`)]
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

async function listen(server: Server, { port, host }: MetricsAddress): Promise<number> {
  try {
    return await listenOn(server, port ?? metricsPortDefault, host)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE' && port === undefined)
      return await listenOn(server, 0, host)
    throw new WinnowError('CONFIGURATION', `metrics cannot be served on ${host}:${port}: ${(error as Error).message}`, {
      hint: 'Choose another metrics.port (WINNOW_METRICS_PORT), 0 for any free one, or set metrics.enabled: false.',
      cause: error,
    })
  }
}

function listenOn(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      const bound = server.address()
      resolve(typeof bound === 'object' && bound !== null ? bound.port : port)
    })
  })
}
