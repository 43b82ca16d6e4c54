import { setTimeout as sleep } from 'node:timers/promises'
import fastify from 'fastify'
import type { Runtime } from '../connections/connections.ts'
import { type StationLag, StationLags } from '../runs/lag.ts'
import { systemClock } from '../runtime/clock.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { Service } from '../runtime/service.ts'
import { guard, tokenFor } from './access.ts'
import { serveAssets } from './assets.ts'
import { EventHub } from './events.ts'
import { Follower } from './follower.ts'
import { BoardModel } from './model.ts'
import { Replays } from './replays.ts'
import { serveApi } from './routes.ts'
import { TrafficMeter } from './traffic.ts'

/** Where a board is looked for; another is taken where something else listens here already. */
export const boardPort = 7077
/** A change is on the page after this long at most, and the time of reading it. */
const pollMs = 400
/** Nobody looks: often enough that the page is full at once when somebody does. */
const pollUnwatchedMs = 3000
const lagMs = 800
const beatMs = 15_000
/** A coordinator that moves or has just started answers the next time; what lasts longer is said. */
const failuresQuiet = 2

export interface BoardOptions {
  /** 0: any free one. Left out: 7077, or any free one where that is taken. */
  readonly port?: number
  /** The address that is listened on: 127.0.0.1. On any other one a token is asked for. */
  readonly host?: string
  /** The token that is asked for. Left out: none on loopback, a random one elsewhere. */
  readonly token?: string
}

/** What the environment says: `WINNOW_BOARD_TOKEN`. */
export const boardOptions = ({ WINNOW_BOARD_TOKEN: token }: NodeJS.ProcessEnv): BoardOptions =>
  token === undefined || token === '' ? {} : { token }

/** The web page and what it asks for. `url` has the token in it, where one is asked for. */
export async function startBoard(runtime: Runtime, options: BoardOptions = {}): Promise<Service & { url: string }> {
  const model = new BoardModel()
  const events = new EventHub()
  const server = fastify({ forceCloseConnections: true })
  const host = options.host ?? '127.0.0.1'
  const token = tokenFor(host, options.token)
  guard(server, token)
  serveAssets(server)
  const replays = new Replays(runtime)
  serveApi(server, { runtime, model, events, replays })
  const stop = new AbortController()
  const follower = new Follower(runtime, model)
  const meter = new TrafficMeter()
  const lagMeter = new StationLags(runtime.kafka)

  const following = (async () => {
    let lag: StationLag[] = []
    let lagAtMs = Number.NEGATIVE_INFINITY
    let beatAtMs = systemClock()
    let failures = 0
    while (!stop.signal.aborted) {
      try {
        await follower.poll()
        const nowMs = systemClock()
        if (nowMs - lagAtMs >= lagMs) {
          const runs = [...model.runs.values()].map(({ config }) => config)
          lag = await lagMeter.measure({ runs }, follower.ends)
          lagAtMs = nowMs
        }
        model.setTraffic({ topics: meter.rates(nowMs, follower.ends), lag })
        if (nowMs - beatAtMs >= beatMs) {
          events.beat()
          beatAtMs = nowMs
        }
        failures = 0
        model.setProblem(null)
      } catch (error) {
        // A broker that is away comes back; the board shows meanwhile what it knows, and says so.
        const message = error instanceof Error ? error.message : String(error)
        failures++
        const isNews = failures > failuresQuiet && !stop.signal.aborted && model.setProblem(message)
        if (isNews) runtime.log.warn({ err: error }, 'the board cannot read')
      }
      const changes = model.takeChanges()
      if (changes !== undefined) events.send(changes)
      await pause(() => (events.watched ? pollMs : pollUnwatchedMs), stop.signal)
    }
  })()

  const close = async () => {
    stop.abort()
    events.close()
    await server.close()
    await following
    await replays.close()
  }
  try {
    const address = await listen(server, host, options.port)
    return { name: 'board', url: token === undefined ? address : `${address}/?token=${token}`, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Waits in small steps, so that a page that is opened does not wait for the long pause. */
async function pause(wantedMs: () => number, signal: AbortSignal): Promise<void> {
  const stepMs = 100
  for (let waitedMs = 0; waitedMs < wantedMs() && !signal.aborted; waitedMs += stepMs) {
    await sleep(stepMs, undefined, { signal }).catch(() => {})
  }
}

async function listen(server: ReturnType<typeof fastify>, host: string, port: number | undefined): Promise<string> {
  try {
    return await server.listen({ host, port: port ?? boardPort })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    if (port === undefined) return await server.listen({ host, port: 0 })
    throw new WinnowError('CONFIGURATION', `port ${port} of ${host} is taken`, {
      hint: 'Name another with --port, or 0 for any free one.',
      cause: error,
    })
  }
}
