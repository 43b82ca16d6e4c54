import { setTimeout as sleep } from 'node:timers/promises'
import fastify from 'fastify'
import type { Runtime } from '../host/runtime.ts'
import type { Service } from '../host/services.ts'
import { systemClock } from '../runtime/clock.ts'
import { WinnowError } from '../runtime/errors.ts'
import { serveAssets } from './assets.ts'
import { EventHub } from './events.ts'
import { Follower } from './follower.ts'
import { BoardModel } from './model.ts'
import { serveApi } from './routes.ts'
import { lagOf, TrafficMeter } from './traffic.ts'

/** Where a board is looked for; another is taken where something else listens here already. */
export const boardPort = 7077
/** A change is on the page after this long at most, and the time of reading it. */
const pollMs = 400
/** Nobody looks: often enough that the page is full at once when somebody does. */
const pollUnwatchedMs = 3000
const lagMs = 2000
const beatMs = 15_000

export interface BoardOptions {
  /** 0: any free one. Left out: 7077, or any free one where that is taken. */
  readonly port?: number
}

/** The web page and what it asks for, on 127.0.0.1: there is no login, so nobody else on the network is let in. */
export async function startBoard(runtime: Runtime, options: BoardOptions = {}): Promise<Service & { url: string }> {
  const model = new BoardModel()
  const events = new EventHub()
  const server = fastify({ forceCloseConnections: true })
  server.addHook('onRequest', async (request, reply) => {
    // A page of another site whose name was made to point here would read everything otherwise (DNS rebinding).
    if (!/^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(request.headers.host ?? '')) {
      await reply.code(403).send({ message: 'the board answers to 127.0.0.1 and localhost only' })
    }
  })
  serveAssets(server)
  serveApi(server, { runtime, model, events })
  const stop = new AbortController()
  const follower = new Follower(runtime, model)
  const meter = new TrafficMeter()

  const following = (async () => {
    let lag: Awaited<ReturnType<typeof lagOf>> = []
    let lagAtMs = Number.NEGATIVE_INFINITY
    let beatAtMs = systemClock()
    while (!stop.signal.aborted) {
      try {
        await follower.poll()
        const nowMs = systemClock()
        if (nowMs - lagAtMs >= lagMs) {
          lag = await lagOf(runtime.kafka, [...model.runs.values()], follower.ends)
          lagAtMs = nowMs
        }
        model.setTraffic({ topics: meter.rates(nowMs, follower.ends), lag })
        const changes = model.takeChanges()
        if (changes !== undefined) events.send(changes)
        if (nowMs - beatAtMs >= beatMs) {
          events.beat()
          beatAtMs = nowMs
        }
      } catch (error) {
        // A broker that is away comes back; the board shows meanwhile what it knows.
        if (!stop.signal.aborted) runtime.log.warn({ err: error }, 'the board could not read')
      }
      await pause(() => (events.watched ? pollMs : pollUnwatchedMs), stop.signal)
    }
  })()

  const close = async () => {
    stop.abort()
    events.close()
    await server.close()
    await following
  }
  try {
    return { name: 'board', url: await listen(server, options.port), close }
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

async function listen(server: ReturnType<typeof fastify>, port: number | undefined): Promise<string> {
  const host = '127.0.0.1'
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
