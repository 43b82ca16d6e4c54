import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fastify from 'fastify'
import { expect, test } from 'vitest'
import { guard } from '../../../services/board/access.ts'
import { EventHub } from '../../../services/board/events.ts'
import { BoardModel } from '../../../services/board/model.ts'
import { Replays } from '../../../services/board/replays.ts'
import { serveApi } from '../../../services/board/routes.ts'
import type { Runtime } from '../../../services/connections/connections.ts'
import { createLog } from '../../../services/runtime/log.ts'
import { recordOf, testRun } from '../../support/run.ts'

/** A board that knows two runs and can ask nobody: what these tests ask is decided before. */
function boardOf() {
  const kafka = { topicNames: async () => [], consumerGroups: async () => [] }
  const runtime = { kafka, clickHouse: { sql: {} }, log: createLog('test', 'silent') } as unknown as Runtime
  const model = new BoardModel()
  model.addRun(recordOf(testRun('mine')))
  model.addRun(recordOf(testRun('yours', { steps: 50, sampleDocuments: 7 })))
  const server = fastify()
  const routes: string[] = []
  server.addHook('onRoute', ({ method, url }) => {
    if (method !== 'HEAD') routes.push(`${method} ${url}`)
  })
  guard(server, {})
  serveApi(server, { runtime, model, events: new EventHub(), replays: new Replays(runtime) })
  const ask = async (url: string) => {
    const answer = await server.inject({ url })
    return { status: answer.statusCode, body: answer.json() as { message: string } & Record<string, unknown> }
  }
  return { model, routes, ask }
}

test('docs/board/http-api.md describes every route and no other', async () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/board/http-api.md'), 'utf8')
  const described = [...page.matchAll(/^\| `((?:GET|POST) \/api\/[^`?]*)[^`]*` +\|/gm)].map(([, route]) => route)
  const { routes } = boardOf()
  expect(routes.length).toBeGreaterThan(10)
  expect(described.sort()).toEqual(routes.sort())
})

test('a request for a missing run or round says so, and lists what exists', async () => {
  const { ask, model } = boardOf()
  expect(await ask('/api/runs/min/configuration')).toEqual({
    status: 404,
    body: { message: 'there is no run min. Did you mean mine?' },
  })
  expect((await ask('/api/runs/other-thing/rounds/0/composition')).body.message).toBe(
    'there is no run other-thing. Runs: mine, yours.',
  )
  const none = await ask('/api/runs/mine/rounds/0/composition')
  expect(none).toEqual({
    status: 404,
    body: { message: 'run mine has selected nothing in round 0. Rounds: none yet.' },
  })
  const manifest = { run: 'mine', round: 3 }
  model.applyToRun('mine', { topic: 't', partition: 0, offset: 0, record: 'Manifest', value: manifest }, 0)
  for (const round of ['77', '-1', '3.5', 'x'])
    expect((await ask(`/api/runs/mine/rounds/${round}/documents`)).body.message).toBe(
      `run mine has selected nothing in round ${round}. Rounds: 3 to 3.`,
    )
  expect((await ask('/api/topics/winnow.nothing')).body.message).toBe('there is no topic winnow.nothing')
  expect((await ask('/api/runs/mine/stations/nothing')).body.message).toMatch(/no station nothing. Stations: ingest, /)
})

test('configuration of one run, and differences between two', async () => {
  const { ask } = boardOf()
  const { body } = await ask('/api/runs/mine/configuration')
  expect(body).toMatchObject({ run: 'mine', kind: 'run', life: 'active', selectionVersion: 2 })
  expect(body.settings).toContainEqual({ key: 'labelers.quality', value: 'v1' })
  expect(body.settings).toContainEqual({ key: 'selection.actors.quality.subcategories', value: ['low', 'high'] })
  expect((await ask('/api/differences?a=mine&b=yours')).body).toEqual([
    { key: 'steps', here: 100, there: 50 },
    expect.objectContaining({ key: 'sampleDocuments', there: 7 }),
  ])
  expect((await ask('/api/differences?a=mine&b=mine')).body).toEqual([])
  expect((await ask('/api/differences?a=mine')).status).toBe(404)
})

test('a meaningless query for documents is refused before ClickHouse is asked', async () => {
  const { ask } = boardOf()
  const messageOf = async (query: string) => {
    const { status, body } = await ask(`/api/documents?${query}`)
    return [status, body.message]
  }
  expect(await messageOf('q=a&by=nowhere')).toEqual([
    400,
    expect.stringContaining('by must be any, id, text or source'),
  ])
  expect(await messageOf('q=a&offset=-1')).toEqual([400, expect.stringContaining('offset')])
  expect(await messageOf('q=a&count=1000')).toEqual([400, expect.stringContaining('count')])
  expect(await messageOf('q=a&round=1')).toEqual([400, 'label and round need a run: add run=NAME'])
  expect(await messageOf('label=quality/none&run=mine')).toEqual([
    404,
    'run mine has no label quality/none: labels are written ACTOR/SUBCATEGORY',
  ])
  expect(await messageOf('q=12x&by=id')).toEqual([404, expect.stringContaining('12x is not a document id')])
  expect(await messageOf(`q=${Array.from({ length: 17 }, (_, i) => `w${i}`).join('+')}`)).toEqual([
    400,
    'more than 16 words: use fewer',
  ])
})

test('a run without rewards has no evaluations, and is told why', async () => {
  const { ask } = boardOf()
  expect(await ask('/api/runs/mine/evaluations')).toEqual({
    status: 200,
    body: { rounds: [], why: 'run mine has selected nothing yet' },
  })
  expect((await ask('/api/runs/min/evaluations')).status).toBe(404)
})

test('the ledger of runs without booked work is empty, one run or two', async () => {
  const { ask } = boardOf()
  const nothing = {
    tableSix: { offline: 0, online: 0, overall: 0 },
    everything: { offline: 0, online: 0, overall: 0 },
    training: 0,
  }
  expect((await ask('/api/ledger?a=mine')).body).toEqual({
    runs: [{ run: 'mine', ...nothing }],
    together: nothing,
    rows: [],
  })
  expect((await ask('/api/ledger?a=mine&b=yours')).body.runs).toHaveLength(2)
  expect((await ask('/api/ledger?a=min')).status).toBe(404)
})
