import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Runtime } from '../connections/connections.ts'
import { readDeadLetters } from '../runs/dead-letters/read.ts'
import { redrive } from '../runs/dead-letters/redrive.ts'
import { WinnowError } from '../runtime/errors.ts'
import { json } from '../runtime/json.ts'
import { serveDocuments } from './document-routes.ts'
import type { EventHub } from './events.ts'
import { runNamed } from './known.ts'
import type { BoardModel } from './model.ts'
import type { Replays } from './replays.ts'
import { BadRequest, type Get, NotFound, type Parameters, parsed } from './requests.ts'
import { serveRuns } from './run-routes.ts'

/** Of many letters that could not be sent again, this many are listed with their reasons. */
const refusedShown = 50

/** Some letters by number, or all that match; all letters only on explicit request. */
const redriveRequest = z
  .strictObject({
    offsets: z.array(z.int().min(0)).min(1).optional(),
    station: z.string().optional(),
    reason: z.string().optional(),
    topic: z.string().optional(),
    all: z.literal(true).optional(),
  })
  .refine((given) => Object.keys(given).length > 0, 'must name offsets, station, reason or topic, or say all')
const replayRequest = z.strictObject({ changes: z.record(z.string(), z.unknown()).default({}) }).prefault({})

export interface RouteOptions {
  readonly runtime: Runtime
  readonly model: BoardModel
  readonly events: EventHub
  readonly replays: Replays
}

/** What the page asks for, and anybody may: docs/board/http-api.md. Answers are JSON, 64-bit ids as decimal strings, bytes as base64. */
export function serveApi(server: FastifyInstance, { runtime, model, events, replays }: RouteOptions): void {
  const get: Get = (url, answer) => {
    server.get(url, async (request, reply) => {
      const parameters = { ...(request.query as object), ...(request.params as object) } as Parameters
      const value = await answer(parameters)
      return reply.header('content-type', 'application/json').header('cache-control', 'no-store').send(json(value))
    })
  }

  server.get('/api/events', (_request, reply) => {
    reply.hijack()
    events.add(reply.raw, model.snapshot())
  })
  get('/api/snapshot', async () => model.snapshot())
  serveRuns(get, runtime, model)
  serveDocuments(get, runtime, model)
  get('/api/replays', async () => replays.list())
  server.post<{ Params: { run: string } }>('/api/runs/:run/replays', async (request, reply) => {
    const { config } = runNamed(model, request.params.run)
    const { changes } = parsed(replayRequest, request.body)
    const started = await replays.start(config, changes)
    return reply.code(202).header('content-type', 'application/json').send(json(started))
  })
  server.post('/api/dead-letters/redrive', async (request) => {
    const { all: _all, ...given } = parsed(redriveRequest, request.body)
    const filter = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
    const done = await redrive(runtime, readDeadLetters(runtime, filter))
    const refused = done.filter((one) => 'refused' in one)
    return { sent: done.length - refused.length, refused: refused.length, firstRefused: refused.slice(0, refusedShown) }
  })
  server.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    if (error instanceof BadRequest) return reply.code(400).send({ message: error.message })
    if (error instanceof NotFound) return reply.code(404).send({ message: error.message })
    const message = error instanceof WinnowError ? [error.message, error.hint].filter(Boolean).join('. ') : undefined
    if (error instanceof WinnowError && error.code === 'CONFIGURATION') return reply.code(400).send({ message })
    if (error.statusCode !== undefined && error.statusCode < 500)
      return reply.code(error.statusCode).send({ message: error.message })
    runtime.log.warn({ err: error }, 'a request of the board failed')
    return reply.code(500).send({ message: message ?? 'it could not be answered: see the log of the board' })
  })
}
