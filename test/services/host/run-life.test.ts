import { afterEach, expect, test } from 'vitest'
import { Progress, runTopics, topics } from '../../../schemas/index.ts'
import { createRunTopics } from '../../../services/connections/connections.ts'
import { type RunHostHooks, startRunHost } from '../../../services/host/run-host.ts'
import { RunList } from '../../../services/host/run-list.ts'
import { isDone } from '../../../services/runs/followed-run.ts'
import { readManifests } from '../../../services/runs/recorded.ts'
import { forgetRun, listRuns, setLife, submitRun } from '../../../services/runs/registry.ts'
import type { WinnowError } from '../../../services/runtime/errors.ts'
import { closeAll, type Service } from '../../../services/runtime/service.ts'
import { until } from '../../support/kafka.ts'
import { fillByParity, type MemoryRuntime, memoryRuntime, parityRun } from '../../support/memory-runtime.ts'

let services: Service[] = []
afterEach(() => closeAll(services))

/** A control: it needs no worker and no trainer to select its first round. */
const control = (name: string) => parityRun(name, {}, { sampleDocuments: 0, model: 'shipped:llama-64x2' })

async function hostOf(
  runtime: MemoryRuntime,
  { only, isDone, startBeside }: Pick<RunHostHooks, 'only' | 'isDone' | 'startBeside'> = {},
) {
  const events: string[] = []
  const host = await startRunHost(runtime, {
    ...(only && { only }),
    ...(isDone && { isDone }),
    ...(startBeside && { startBeside }),
    parts: ['stations'],
    onFailure: (error) => events.push(`failed: ${error}`),
    onStarted: ({ name }) => events.push(`${name} started`),
    onStopped: (name, life) => events.push(`${name} ${life}`),
  })
  services = [host]
  const groups = async (run: string) => (await runtime.kafka.consumerGroups(`winnow.${run}.`)).length
  return { events, groups }
}

test('what runs beside the stations of a run begins and ends with them', async () => {
  const runtime = await memoryRuntime()
  await submitRun(runtime, control('a'))
  const beside: string[] = []
  const { events } = await hostOf(runtime, {
    startBeside: async ({ name }) => {
      beside.push(`beside ${name}`)
      return [{ name: 'beside', close: async () => void beside.push(`closed ${name}`) }]
    },
  })
  await until(async () => events.length === 1)
  expect(beside).toEqual(['beside a'])
  await setLife(runtime, 'a', 'paused')
  await until(async () => events.length === 2)
  expect(beside).toEqual(['beside a', 'closed a'])
})

test('a run stands still while paused, continues when resumed, and never runs again once ended', async () => {
  const runtime = await memoryRuntime()
  await submitRun(runtime, control('a'))
  await submitRun(runtime, control('b'))
  const { events, groups } = await hostOf(runtime)
  await until(async () => events.length === 2)
  expect(await groups('a')).toBeGreaterThan(0)

  await setLife(runtime, 'a', 'paused')
  await until(async () => events.length === 3)
  expect([await groups('a'), (await groups('b')) > 0]).toEqual([0, true])
  // Nothing is decided meanwhile.
  await fillByParity(runtime.store, 20)
  await until(async () => (await readManifests(runtime, 'b')).length === 1)
  expect(await readManifests(runtime, 'a')).toEqual([])

  await setLife(runtime, 'a', 'active')
  await until(async () => (await readManifests(runtime, 'a')).length === 1)
  await setLife(runtime, 'a', 'ended')
  await setLife(runtime, 'a', 'ended')
  await until(async () => events.length === 5)
  expect(events).toEqual(['a started', 'b started', 'a paused', 'a started', 'a ended'])
  expect(await groups('a')).toBe(0)
  await expect(setLife(runtime, 'a', 'active')).rejects.toThrow('run a has ended, which is final')
  await expect(setLife(runtime, 'c', 'ended')).rejects.toMatchObject({ message: 'there is no run c' })
})

test('a host that starts later follows the latest state of each run, not earlier ones', async () => {
  const runtime = await memoryRuntime()
  for (const name of ['a', 'b', 'c', 'd']) await submitRun(runtime, control(name))
  for (const life of ['paused', 'active', 'paused'] as const) await setLife(runtime, 'a', life)
  await setLife(runtime, 'b', 'ended')
  await forgetRun(runtime, 'c')
  const { events } = await hostOf(runtime)
  await until(async () => events.length === 1)
  expect(events).toEqual(['d started'])
  const { runs } = await RunList.read(runtime)
  expect([...runs.values()].map(({ run, life }) => [run, life])).toEqual([
    ['a', 'paused'],
    ['b', 'ended'],
    ['d', 'active'],
  ])
  // Pausing changes nothing of what was recorded.
  expect(runs.get('a')?.config).toBe((await listRuns(runtime)).get('a')?.config)
  expect(runtime.kafka.records(topics.runs.name)).toHaveLength(9)
})

test('a host of one run leaves the others alone, and a run that is deleted and recorded again starts from scratch', async () => {
  const runtime = await memoryRuntime()
  await submitRun(runtime, control('a'))
  await submitRun(runtime, control('b'))
  const { events, groups } = await hostOf(runtime, { only: new Set(['b']) })
  await until(async () => events.length === 1)
  await forgetRun(runtime, 'b')
  await until(async () => events.length === 2)
  await submitRun(runtime, control('b'))
  await until(async () => events.length === 3)
  expect(events).toEqual(['b started', 'b deleted', 'b started'])
  expect(await groups('a')).toBe(0)
})

test('a host of all runs leaves those alone that are done, and they can be removed', async () => {
  const runtime = await memoryRuntime()
  const done = control('done')
  await submitRun(runtime, done)
  await createRunTopics(runtime.kafka, done)
  const report = (step: number) =>
    runtime.codec.encode(Progress, {
      ...{ run: 'done', step, tokens: 0, round: 0, position: 0, checkpoint: null },
      ...{ trainLoss: null, referenceLoss: null, corpusLoss: null },
    })
  const producer = await runtime.kafka.producer()
  await producer.send([{ topic: runTopics('done').progress.name, key: null, value: report(done.steps) }])
  await submitRun(runtime, control('new'))
  const { events, groups } = await hostOf(runtime, { isDone: (record) => isDone(runtime, record) })
  await until(async () => events.length === 1)
  expect(events).toEqual(['new started'])
  expect(await groups('done')).toBe(0)
  await setLife(runtime, 'done', 'archived')
  await until(async () => events.length === 2)
  expect(events).toEqual(['new started', 'done archived'])
})

test('when another process takes over a run, only that run stops in the first; the others continue', async () => {
  const runtime = await memoryRuntime()
  for (const name of ['a', 'b']) await submitRun(runtime, control(name))
  const failed: string[] = []
  const started: string[] = []
  const first = await startRunHost(runtime, {
    parts: ['stations'],
    onFailure: (error) => failed.push(`all: ${error}`),
    onRunFailure: (run, error) => failed.push(`${run}: ${(error as WinnowError).code}`),
    onStarted: ({ name }) => started.push(name),
  })
  services = [first]
  await until(async () => started.length === 2)
  const second = await startRunHost(runtime, {
    ...{ only: new Set(['a']), parts: ['stations'] },
    onFailure: (error) => failed.push(`second: ${error}`),
    onStarted: ({ name }) => started.push(name),
  })
  services.push(second)
  await until(async () => started.length === 3)
  await fillByParity(runtime.store, 20)
  await until(async () => failed.length === 1)
  expect(failed).toEqual(['a: FENCED'])
  for (const name of ['a', 'b']) await until(async () => (await readManifests(runtime, name)).length === 1)
})
