import { afterEach, expect, test } from 'vitest'
import { type Manifest, Run, topics } from '../../../schemas/index.ts'
import { startInfluence, startRunStations } from '../../../services/host/run.ts'
import { startRunHost } from '../../../services/host/run-host.ts'
import type { Model } from '../../../services/model/model.ts'
import { readManifests, readRecordedRun } from '../../../services/runs/recorded.ts'
import { submitRun } from '../../../services/runs/registry.ts'
import { WinnowError } from '../../../services/runtime/errors.ts'
import { closeAll, type Service } from '../../../services/runtime/service.ts'
import { runConfigJson } from '../../../topologies/run-config.ts'
import { selectionVersion } from '../../../topologies/selection/version.ts'
import { until } from '../../support/kafka.ts'
import { fillByParity, memoryRuntime, parityRun, recordRun } from '../../support/memory-runtime.ts'

const noModel = {} as Model
const active = { life: 'active', recordedMs: null } as const
const failures: unknown[] = []
const hooks = { influenceWorkers: 0, onFailure: (error: unknown) => failures.push(error) }
let services: Service[] = []

afterEach(async () => {
  await closeAll(services)
  expect(failures.splice(0)).toEqual([])
})

test('the stations of a run play its rounds, and documents that help are selected', async () => {
  const runtime = await memoryRuntime()
  await fillByParity(runtime.store, 40)
  const isOdd = (text: string) => Number(text.split(' ')[1]) % 2 === 1
  const manifests = await recordRun(runtime, parityRun('r'), (text) => (isOdd(text) ? 1 : -1))
  expect(manifests.map(({ round, documents }) => [round, documents])).toEqual([
    [0, 6],
    [1, 6],
    [2, 6],
  ])
  // Eq. 5 from equal weights: 0.5 * 0.5 + 0.5 * -1 and 0.5 * 0.5 + 0.5 * 1.
  expect(manifests[1]!.weights).toEqual([[-0.25, 0.75]])
  expect((await readRecordedRun(runtime, 'r')).closed.map(({ reason, missing }) => [reason, missing])).toEqual([
    ['answered', 0],
    ['answered', 0],
    ['answered', 0],
  ])
})

test('a run waits for its first documents, and a new console continues where the old one stopped', async () => {
  const runtime = await memoryRuntime()
  const run = parityRun('r', {}, { sampleDocuments: 0 })
  const selected: Manifest[] = []
  const onConsole = (event: { kind: string }) => {
    if ('manifest' in event) selected.push(event.manifest as Manifest)
  }
  services = await startRunStations(runtime, run, noModel, { ...hooks, onConsole })
  await fillByParity(runtime.store, 3)
  await until(async () => selected.length === 1)
  expect(selected).toEqual(await readManifests(runtime, 'r'))
  await closeAll(services)
  services = await startRunStations(runtime, run, noModel, { ...hooks, onConsole })
  await closeAll(services)
  expect(await readManifests(runtime, 'r')).toHaveLength(1)
  expect(selected).toHaveLength(1)
})

test('if a station cannot start, those already started are closed', async () => {
  const runtime = await memoryRuntime()
  const consume = runtime.kafka.consume.bind(runtime.kafka)
  runtime.kafka.consume = (options) => {
    if (options.groupId.includes('console') && !options.groupId.includes('reader'))
      throw new WinnowError('UNREACHABLE', 'away')
    return consume(options)
  }
  await expect(startRunStations(runtime, parityRun('r'), noModel, hooks)).rejects.toThrow('away')
  expect(await runtime.kafka.consumerGroups('')).toEqual([])
})

test('an influence worker for a run that asks for no rewards is refused', async () => {
  const runtime = await memoryRuntime()
  const control = parityRun('control', {}, { sampleDocuments: 0 })
  await expect(startInfluence(runtime, control, noModel, hooks)).rejects.toMatchObject({
    code: 'CONFIGURATION',
    message: 'run control asks for no rewards',
  })
})

test('the run host starts each recorded run once, but neither replays, runs of another version, nor records that are not runs', async () => {
  const runtime = await memoryRuntime()
  const producer = await runtime.kafka.producer()
  const recorded = (run: string, more: Partial<Run> = {}) =>
    runtime.codec.encode(Run, {
      run,
      config: runConfigJson(parityRun(run)),
      replayOf: null,
      selectionVersion,
      ...active,
      ...more,
    })
  const write = (...values: Uint8Array[]) =>
    producer.send(values.map((value) => ({ topic: topics.runs.name, key: 'k', value })))
  await write(
    Buffer.from('no run'),
    recorded('replay', { replayOf: 'other' }),
    recorded('old', { selectionVersion: selectionVersion - 1 }),
    recorded('mine'),
    recorded('mine'),
  )
  const failed: unknown[] = []
  services.push(await startRunHost(runtime, { onFailure: (error) => failed.push(error) }))
  await until(async () => failed.length === 1)
  // Its model does not exist, which ends the host; that is how far it came: none of the others was opened before.
  expect(failed).toMatchObject([{ code: 'MODEL_UNUSABLE', message: expect.stringContaining('m') }])
  expect((await runtime.kafka.topicNames()).filter((name) => name.startsWith('winnow.run.'))).toEqual([])
})

test('recording a run twice changes nothing; another configuration under its name is refused', async () => {
  const runtime = await memoryRuntime()
  await submitRun(runtime, parityRun('r'))
  await submitRun(runtime, parityRun('r'))
  expect(runtime.kafka.records(topics.runs.name)).toHaveLength(1)
  await expect(submitRun(runtime, parityRun('r', { seed: 4 }))).rejects.toThrow(
    'run r exists with another configuration',
  )
  await expect(submitRun(runtime, parityRun('r'), 'other')).rejects.toThrow('r exists and is a run of its own')
})

test('a run whose own files are at fault stops alone and is reported once; the runs after it are started', async () => {
  const runtime = await memoryRuntime()
  for (const name of ['a', 'b']) await submitRun(runtime, parityRun(name, {}, { model: `/nowhere/${name}` }))
  const told: [string, unknown][] = []
  const host = await startRunHost(runtime, {
    onFailure: (error) => failures.push(error),
    onRunFailure: (run, error) => told.push([run, (error as WinnowError).code]),
  })
  services = [host]
  await until(async () => told.length === 2)
  expect(told).toEqual([
    ['a', 'MODEL_UNUSABLE'],
    ['b', 'MODEL_UNUSABLE'],
  ])
})
