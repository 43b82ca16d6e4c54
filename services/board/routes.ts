import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Manifest } from '../../schemas/index.ts'
import { parseId } from '../../topologies/selection/u64.ts'
import type { Runtime } from '../connections/connections.ts'
import { readDeadLetters } from '../runs/dead-letters/read.ts'
import { redrive } from '../runs/dead-letters/redrive.ts'
import { explainDocument } from '../runs/explain.ts'
import { WinnowError } from '../runtime/errors.ts'
import { json } from '../runtime/json.ts'
import { DocumentSearch } from './documents.ts'
import type { EventHub } from './events.ts'
import type { BoardModel, FollowedRun } from './model.ts'
import type { Replays } from './replays.ts'
import { Compositions, overlap, repeats, selectedIds } from './selections.ts'
import { describeTopic } from './topic-details.ts'

const selectedShown = 30
/** Of many letters that could not be sent again, the first so many are told with their reasons. */
const refusedShown = 50

/** Some letters by number, or all that fit; all of them only by saying so. */
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

interface RouteOptions {
  readonly runtime: Runtime
  readonly model: BoardModel
  readonly events: EventHub
  readonly replays: Replays
}

type Parameters = Readonly<Record<string, string>>

/** What the page asks for. Answers are JSON, 64-bit ids as decimal strings, bytes as base64. */
export function serveApi(server: FastifyInstance, { runtime, model, events, replays }: RouteOptions): void {
  const compositions = new Compositions(runtime)
  const search = new DocumentSearch(runtime.clickHouse.sql, () => model.sources)
  const runOf = (name: string): FollowedRun => {
    const run = model.runs.get(name)
    if (run === undefined) throw new NotFound(`there is no run ${name}`)
    return run
  }
  const roundOf = (name: string, round: string): { run: FollowedRun; manifest: Manifest } => {
    const run = runOf(name)
    const manifest = run.model.manifests.get(Number(round))
    if (manifest === undefined) throw new NotFound(`run ${name} has selected nothing in round ${round}`)
    return { run, manifest }
  }
  const get = (url: string, answer: (parameters: Parameters) => Promise<unknown>) =>
    server.get(url, async (request, reply) => {
      const parameters = { ...(request.query as object), ...(request.params as object) } as Parameters
      const value = await answer(parameters)
      return reply.header('content-type', 'application/json').header('cache-control', 'no-store').send(json(value))
    })

  server.get('/api/events', (_request, reply) => {
    reply.hijack()
    events.add(reply.raw, model.snapshot())
  })
  get('/api/snapshot', async () => model.snapshot())
  get('/api/runs/:run/rounds/:round/composition', async ({ run, round }) => {
    const of = roundOf(run!, round!)
    return await compositions.of(of.run, of.manifest)
  })
  get('/api/runs/:run/rounds/:round/documents', async ({ run, round }) => {
    const ids = await selectedIds(runtime, roundOf(run!, round!).manifest, selectedShown)
    return await search.byId(ids)
  })
  get('/api/runs/:run/rounds/:round/repeats', async ({ run, round }) => {
    const { manifests, positions } = roundOf(run!, round!).run.model
    const upTo = [...manifests.values()].filter((one) => one.round <= Number(round)).sort((a, b) => a.round - b.round)
    return await repeats(
      runtime,
      upTo,
      upTo.map((one) => positions.get(one.round) ?? 0),
    )
  })
  get('/api/overlap', async ({ a, b }) => {
    const [ofA, ofB] = [runOf(a!), runOf(b!)]
    const both = [...ofA.model.manifests.keys()].filter((round) => ofB.model.manifests.has(round)).sort((x, y) => x - y)
    const rounds: object[] = []
    for (const round of both) {
      const counts = await overlap(runtime, ofA.model.manifests.get(round)!, ofB.model.manifests.get(round)!)
      rounds.push({ round, ...counts })
    }
    return rounds
  })
  get('/api/documents', async ({ q, by }) => {
    const words = q?.trim() ?? ''
    if (words === '') return []
    if (by === 'source') return await search.bySource(words)
    const id = by === 'text' ? null : parseId(words)
    if (id !== null) return await search.byId([id])
    if (by === 'id') throw new NotFound(`${words} is not a document id: ids are whole numbers of 64 bits`)
    return await search.byText(words)
  })
  get('/api/runs/:run/documents/:id', async ({ run, id }) => {
    const docId = parseId(id!)
    if (docId === null) throw new NotFound(`${id} is not a document id`)
    const explained = await explainDocument(runtime, runOf(run!).config, docId)
    if (explained === undefined) throw new NotFound(`the corpus has no document ${id}`)
    return explained
  })
  get('/api/topics/:topic', async ({ topic }) => {
    if (!(await runtime.kafka.topicNames()).includes(topic!)) throw new NotFound(`there is no topic ${topic}`)
    return await describeTopic(runtime, topic!)
  })
  get('/api/replays', async () => replays.list())
  server.post<{ Params: { run: string } }>('/api/runs/:run/replays', async (request, reply) => {
    const { config } = runOf(request.params.run)
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

class NotFound extends Error {}
class BadRequest extends Error {}

function parsed<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body ?? {})
  if (result.success) return result.data
  throw new BadRequest(z.prettifyError(result.error))
}
