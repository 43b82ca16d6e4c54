import fastify from 'fastify'
import type { Runtime } from '../connections/connections.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { Service } from '../runtime/service.ts'
import { guard, printedAddress, tokenFor } from './access.ts'
import { serveAssets } from './assets.ts'
import { EventHub } from './events.ts'
import { type TrustedProxy, trustedProxy } from './identity.ts'
import { BoardModel } from './model.ts'
import { serveProbes } from './probes.ts'
import { Refresher } from './refresher.ts'
import { Replays } from './replays.ts'
import { serveApi } from './routes.ts'

/** The board's usual port; another is used if this one is taken. */
export const boardPort = 7077

export interface BoardOptions {
  /** 0: any free one. Default: 7077, or any free one if that is taken. */
  readonly port?: number
  /** The address to listen on, default 127.0.0.1. Any other one needs a token. */
  readonly host?: string
  /** The token. Default: none on loopback, a random one elsewhere. */
  readonly token?: string
  /** What knows who visits. Then no token is needed, anywhere. */
  readonly proxy?: TrustedProxy
}

/** Settings from the environment: `WINNOW_BOARD_TOKEN`, and those of `trustedProxy`. @throws WinnowError CONFIGURATION */
export function boardOptions(env: NodeJS.ProcessEnv): BoardOptions {
  const proxy = trustedProxy(env)
  return {
    ...(env.WINNOW_BOARD_TOKEN && { token: env.WINNOW_BOARD_TOKEN }),
    ...(proxy !== undefined && { proxy }),
  }
}

/** The web page and its API. `url` is to be printed. */
export async function startBoard(runtime: Runtime, options: BoardOptions = {}): Promise<Service & { url: string }> {
  const model = new BoardModel()
  const events = new EventHub()
  const server = fastify({ forceCloseConnections: true })
  const host = options.host ?? '127.0.0.1'
  const { proxy } = options
  const token = tokenFor(host, options.token, proxy)
  const onChange = (change: object) => runtime.log.info(change, 'the board was told to change something')
  guard(server, { token, proxy, onChange })
  serveAssets(server)
  const replays = new Replays(runtime)
  serveApi(server, { runtime, model, events, replays })
  const stop = new AbortController()
  const refresher = new Refresher(runtime, model, events)
  serveProbes(server, () => refresher.hasRead)
  const following = refresher.run(stop.signal)

  await using starting = new AsyncDisposableStack()
  starting.defer(() => replays.close())
  starting.defer(() => following)
  starting.defer(() => server.close())
  starting.defer(() => events.close())
  starting.defer(() => stop.abort())
  const address = await listen(server, host, options.port)
  const running = starting.move()
  const url = printedAddress(address, token, options.token)
  return { name: 'board', url, close: () => running.disposeAsync() }
}

async function listen(server: ReturnType<typeof fastify>, host: string, port: number | undefined): Promise<string> {
  try {
    return await server.listen({ host, port: port ?? boardPort })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    if (port === undefined) return await server.listen({ host, port: 0 })
    throw new WinnowError('CONFIGURATION', `port ${port} of ${host} is taken`, {
      hint: 'Choose another with --port, or 0 for any free one.',
      cause: error,
    })
  }
}
