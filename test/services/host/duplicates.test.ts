import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  asDocumentId,
  type DocumentId,
  labelsTopic,
  type Manifest,
  RoundOpened,
  runTopics,
  type Sketch,
  topics,
} from '../../../schemas/index.ts'
import type { Config } from '../../../services/config/config.ts'
import { definitionOf } from '../../../services/connections/connections.ts'
import { ClickHouseStore } from '../../../services/corpus/clickhouse-store.ts'
import { startDuplicates } from '../../../services/host/duplicates.ts'
import { startRunHost } from '../../../services/host/run-host.ts'
import { explainDocument } from '../../../services/runs/explain.ts'
import { readManifests, readTopic } from '../../../services/runs/recorded.ts'
import { type ClickHouse, createClickHouse } from '../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../services/runtime/clickhouse/migrate.ts'
import { runStation } from '../../../services/runtime/station.ts'
import { selectionIds } from '../../../services/selections/chunks.ts'
import { labelSinkStation } from '../../../topologies/dataflow.ts'
import { cliOn } from '../../support/cli.ts'
import { until } from '../../support/kafka.ts'
import { type MemoryRuntime, memoryRuntime, parityRun, recordRun, sendByParity } from '../../support/memory-runtime.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-duplicates-'))
const run = parityRun(
  'limited',
  { budget: { documents: 100 }, firstSelection: 'weights', repetitionDecay: 0.1, duplicates: { atMost: 1 } },
  { steps: 10 },
)
/** 3 is copied twice, in other letters; 10 is 7 with one word in 60 changed. */
const copies = new Map([
  [5, 3],
  [12, 3],
  [10, 7],
])
const wordsOf = (n: number) => Array.from({ length: 120 }, (_, i) => `w${n}x${i}`)
function textOf(n: number): string {
  const of = copies.get(n)
  if (of === undefined) return wordsOf(n).join(' ')
  const words = wordsOf(of)
  return (of === 7 ? words.map((word, i) => (i === 60 ? 'another' : word)) : words).join(' ').toUpperCase()
}

let clickHouse: ClickHouse
let runtime: MemoryRuntime
let manifests: Manifest[]
let winnow: ReturnType<typeof cliOn>
const sketchesBefore: number[] = []
const fail = (error: unknown) => {
  throw error
}

const ingest = (from: number, to: number) => sendByParity(runtime, [from, to], textOf)

const sketches = async () => (await readTopic(runtime, topics.sketches.name)).map(({ value }) => value as Sketch)

async function selected(manifest: Manifest): Promise<bigint[]> {
  const ids: DocumentId[] = []
  for await (const some of selectionIds(runtime, manifest)) ids.push(...some)
  return ids.sort((a, b) => (a < b ? -1 : 1))
}

/** Five rounds: 12 comes before round 2; from round 4 on a shadow serves that takes two of each cluster. */
beforeAll(async () => {
  clickHouse = await createClickHouse({ url: `chdb:${folder}` })
  await migrate(clickHouse.sql)
  runtime = { ...(await memoryRuntime(new ClickHouseStore(clickHouse.sql))), clickHouse }
  winnow = cliOn(runtime, { actors: [] } as unknown as Config, folder)
  await runtime.kafka.createTopics([definitionOf(labelsTopic('parity'), { partitions: 1, recordBytesMax: 1e6 })])
  const station = labelSinkStation(['parity'])
  const build = () => station.build({ store: runtime.store }, {} as never)
  const sink = await runStation({ ...runtime, station, build, groupId: 'sink', onFailure: fail })
  await ingest(0, 12)
  const recording = recordRun(
    runtime,
    run,
    () => 0.5,
    async (round) => {
      if (round !== 2) return
      await ingest(12, 14)
      await until(async () => (await runtime.store.sketched(await now(), 'w5b14r8s1')).done === 14)
    },
    async (round) => {
      sketchesBefore.push((await sketches()).length)
      if (round === 2) {
        writeFileSync(join(folder, 'two.json'), JSON.stringify({ duplicates: { atMost: 2 } }))
        expect(await winnow('run', 'shadow', 'limited', '--as', 'two', '--with', 'two.json')).toMatchObject({ code: 0 })
        shadow = await startRunHost(runtime, { only: new Set(['two']), onFailure: fail })
      }
      if (round < 2) return
      await until(async () => (await readManifests(runtime, 'two').catch(() => [])).length > round)
      if (round === 3) expect(await winnow('run', 'promote', 'two')).toMatchObject({ code: 0 })
    },
  )
  // Nobody sketches yet: the run waits.
  await until(async () => (await runtime.store.sketched(await now(), 'w5b14r8s1')).total === 12)
  await new Promise((resolve) => setTimeout(resolve, 700))
  expect(await readTopic(runtime, runTopics('limited').consoleState.name)).toEqual([])
  const duplicates = await startDuplicates(runtime, fail)
  manifests = await recording
  for (const service of [shadow!, duplicates, sink]) await service.close()
}, 120_000)
let shadow: Awaited<ReturnType<typeof startRunHost>> | undefined

const now = async () => ({
  columns: [{ actor: 'parity', version: 'v1', topic: labelsTopic('parity').name }],
  labelOffsets: await runtime.store.committed(),
})

afterAll(async () => {
  await clickHouse?.close()
  rmSync(folder, { recursive: true, force: true })
})

test('a run that takes one of each cluster waits until documents are sketched, and selects the smallest id of each', async () => {
  const one = [0n, 1n, 2n, 3n, 4n, 6n, 7n, 8n, 9n, 11n]
  const selections = await Promise.all(manifests.map(selected))
  expect(selections.slice(0, 2)).toEqual([one, one])
  expect(selections.slice(2, 4)).toEqual(Array(2).fill([...one, 13n]))
  expect(manifests[0]!.labelOffsets).toContainEqual({ topic: topics.sketches.name, partition: 0, offsetNext: 12 })
})

test('a shadow that takes two of each is promoted at a round, without sketching anything again', async () => {
  // 12 has two before it, 10 and 5 one.
  expect(await selected(manifests[4]!)).toEqual([...Array(12).keys(), 13].map(BigInt))
  expect(sketchesBefore).toEqual([12, 12, 14, 14, 14])
  const opened = (await readTopic(runtime, runTopics('limited').consoleState.name)).filter(
    ({ record }) => record === RoundOpened.name,
  )
  expect(opened.map(({ value }) => (value as RoundOpened).promoted?.shadow ?? null)).toEqual([
    null,
    null,
    null,
    null,
    'two',
  ])
})

test('its replay is the same to the bit', async () => {
  const { code, stdout } = await winnow('replay', '--run', 'limited')
  expect([code, stdout]).toEqual([0, expect.stringContaining('5 rounds of limited and limited-replay-1 are the same')])
})

test('winnow explain says which documents came first', async () => {
  const verdicts = async (n: number) => {
    const { explanations } = (await explainDocument(runtime, run, asDocumentId(BigInt(n))))!
    return explanations.map(({ verdict, flip }) => (verdict === 'a near duplicate' ? flip : verdict))
  }
  const limit = (atMost: number, which: string) =>
    `duplicates.atMost above ${atMost}: ${which} text with it and came first`
  expect(await verdicts(5)).toEqual([...Array(4).fill(limit(1, '3 shares')), 'selected'])
  expect(await verdicts(10)).toEqual([...Array(4).fill(limit(1, '7 shares')), 'selected'])
  expect(await verdicts(12)).toEqual([
    ...Array(2).fill('not there yet'),
    ...[limit(1, '3, 5 share'), limit(1, '3, 5 share'), limit(2, '3, 5 share')],
  ])
  expect(await verdicts(3)).toEqual(Array(5).fill('selected'))
})
