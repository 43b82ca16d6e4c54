import type { FastifyInstance } from 'fastify'
import type { Manifest } from '../../schemas/index.ts'
import { parseId } from '../../topologies/selection/u64.ts'
import { json } from '../cli/context.ts'
import { explainDocument } from '../explain/explain.ts'
import type { Runtime } from '../host/runtime.ts'
import { DecodeError } from '../runtime/codec.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { IncomingRecord } from '../runtime/kafka/port.ts'
import { listDocuments, searchDocuments } from './documents.ts'
import type { EventHub } from './events.ts'
import type { BoardModel, FollowedRun } from './model.ts'
import { Compositions, overlap, selectedIds } from './selections.ts'

const recordsShownMax = 10
const selectedShown = 30

interface RouteOptions {
  readonly runtime: Runtime
  readonly model: BoardModel
  readonly events: EventHub
}

/** What the page asks for. Answers are JSON, 64-bit ids as decimal strings, bytes as base64. */
export function serveApi(server: FastifyInstance, { runtime, model, events }: RouteOptions): void {
  const compositions = new Compositions(runtime)
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
  const get = (url: string, answer: (parameters: Record<string, string>) => Promise<unknown>) =>
    server.get(url, async (request, reply) => {
      const parameters = { ...(request.query as object), ...(request.params as object) } as Record<string, string>
      const value = await answer(parameters)
      return reply.header('content-type', 'application/json').header('cache-control', 'no-store').send(json(value))
    })

  server.get('/api/events', (_request, reply) => {
    reply.hijack()
    events.add(reply.raw, model.whole())
  })
  get('/api/snapshot', async () => model.whole())
  get('/api/runs/:run/rounds/:round/composition', async ({ run, round }) => {
    const of = roundOf(run!, round!)
    return await compositions.of(of.run, of.manifest)
  })
  get('/api/runs/:run/rounds/:round/documents', async ({ run, round }) => {
    const ids = await selectedIds(runtime, roundOf(run!, round!).manifest, selectedShown)
    return await listDocuments(runtime.clickHouse.sql, ids)
  })
  get('/api/overlap', async ({ a, b, round }) =>
    overlap(runtime, roundOf(a!, round!).manifest, roundOf(b!, round!).manifest),
  )
  get('/api/documents', async ({ q }) => {
    if (q === undefined || q.trim() === '') return []
    const id = parseId(q.trim())
    const byId = id === null ? [] : await listDocuments(runtime.clickHouse.sql, [id])
    return byId.length > 0 ? byId : await searchDocuments(runtime.clickHouse.sql, q.trim())
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
    const ends = await runtime.kafka.endOffsets(topic!)
    const from = ends.map((end) => Math.max(0, end - recordsShownMax))
    const records: object[] = []
    for await (const batch of runtime.kafka.read(topic!, from)) {
      for (const record of batch) records.push(await decoded(runtime, record))
    }
    return { ends, records: records.slice(-recordsShownMax).reverse() }
  })

  server.setErrorHandler((error, _request, reply) => {
    if (error instanceof NotFound) return reply.code(404).send({ message: error.message })
    runtime.log.warn({ err: error }, 'a request of the board failed')
    const message = error instanceof WinnowError ? [error.message, error.hint].join('. ') : 'it could not be answered'
    return reply.code(500).send({ message })
  })
}

class NotFound extends Error {}

async function decoded({ codec }: Runtime, { partition, offset, key, value }: IncomingRecord): Promise<object> {
  const place = { partition, offset, key: key?.toString() ?? null }
  if (value === null) return { ...place, value: null }
  try {
    return { ...place, ...(await codec.decode(value)) }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return { ...place, error: error.message, bytes: value.length }
  }
}
