import { expect, test } from 'vitest'
import { type Document, type Label, labelsTopic, type RewardRequest, runTopics, topics } from '../../schemas/index.ts'
import type { CliContext } from '../../services/cli/context.ts'
import { buildProgram, runProgram } from '../../services/cli/program.ts'
import type { Runtime } from '../../services/connections/connections.ts'
import { startRunStations, startTrainer } from '../../services/host/run.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { systemClock } from '../../services/runtime/clock.ts'
import { Metrics } from '../../services/runtime/metrics/metrics.ts'
import { closeAll } from '../../services/runtime/service.ts'
import { traceOfDocument, traceOfRound } from '../../services/runtime/tracing/trace-ids.ts'
import { Watch } from '../../services/top/watch.ts'
import { decidedInMemory, decidedOnCluster } from './loop-memory.ts'
import { fail, openWorld } from './loop-world.ts'

/** Records of a topic with their trace ids. */
async function traced<T>(
  { kafka, codec }: Runtime,
  topic: string,
): Promise<{ value: T; traceId: string | undefined }[]> {
  const all = []
  for await (const records of kafka.read(topic)) {
    for (const { value, trace } of records)
      if (value !== null)
        all.push({ value: (await codec.decode(value)).value as T, traceId: trace?.traceparent.split('-')[1] })
  }
  return all
}
const idOf = (headers: { traceparent: string } | undefined) => headers?.traceparent.split('-')[1]

test('a run has metrics, traces from document to selection and a place in top, and selects the same as a run without them', async () => {
  const metrics = new Metrics(systemClock)
  const world = await openWorld(30, { metrics, traceRatio: 1 })
  const { runtime, config, versions } = world
  const run = world.run('watched', { budget: { documents: 10 } })
  await submitRun(runtime, run)
  const services = await startRunStations(runtime, run, world.model, { onFailure: fail })
  const trainer = await startTrainer(runtime, run, world.model, { onFailure: fail })
  services.push(trainer)
  await trainer.done
  const scrape = await metrics.registry.metrics()
  await closeAll(services)

  // Headers are no part of any fold.
  expect(await decidedOnCluster(runtime, run)).toEqual(await decidedInMemory(runtime, run))

  const documents = await traced<Document>(runtime, topics.documents.name)
  expect(documents).toHaveLength(30)
  for (const { value, traceId } of documents) expect(traceId).toBe(idOf(traceOfDocument(value.docId, 1)))
  const known = new Map(documents.map(({ value, traceId }) => [value.docId, traceId]))
  const { rewardRequests, rewards, selections, consoleState, actorState } = runTopics(run.name)
  const ofDocuments = [...config.actors.map(({ name }) => labelsTopic(name).name), rewardRequests.name, rewards.name]
  for (const topic of ofDocuments) {
    const records = await traced<Label | RewardRequest>(runtime, topic)
    expect(records.length).toBeGreaterThan(0)
    for (const { value, traceId } of records) expect(traceId).toBe(known.get(value.docId))
  }
  for (const topic of [selections.name, consoleState.name, actorState.name]) {
    const records = await traced<{ run: string; round: number }>(runtime, topic)
    expect(records.length).toBeGreaterThan(0)
    for (const { value, traceId } of records) expect(traceId).toBe(idOf(traceOfRound(run.name, value.round)))
  }

  const [actor] = config.actors
  for (const series of [
    `winnow_records_read_total{station="label sink",run="",topic="${topics.documents.name}"} 30`,
    `winnow_records_written_total{station="labeler ${actor!.name}",run="",topic="${labelsTopic(actor!.name).name}"} 30`,
    `winnow_dead_letters_total{station="console",run="${run.name}"} 0`,
    `winnow_reward_coverage_ratio{run="${run.name}"} 1`,
    `winnow_round{run="${run.name}"} 2`,
    `winnow_trainer_step{run="${run.name}"} ${run.steps}`,
    `winnow_trainer_steps_planned{run="${run.name}"} ${run.steps}`,
    `winnow_reselection_seconds_count{run="${run.name}"} 3`,
  ])
    expect(scrape).toContain(series)
  expect(scrape).toMatch(/winnow_lag_records\{station="influence",run="watched-\w+",topic="[^"]+"\} 0/)

  const watch = new Watch({
    runtime,
    labelers: new Map(Object.entries(versions)),
    clock: systemClock,
    pid: process.pid,
  })
  const { documents: count, labelled, memoryBytes, runs, topics: seen } = await watch.look()
  expect({ count, labelled }).toEqual({ count: 30, labelled: 30 })
  expect(memoryBytes!.winnow).toBeGreaterThan(2 ** 20)
  expect(runs.find(({ run: name }) => name === run.name)).toMatchObject({
    step: run.steps,
    round: 2,
    state: 'done',
    rewardsMissing: 0,
    selected: 10,
  })
  expect(seen.find(({ topic }) => topic === topics.documents.name)!.lags).toContainEqual({
    station: 'label sink',
    records: 0,
  })

  const cli = async (...args: string[]): Promise<string> => {
    let stdout = ''
    const out = (text: string) => {
      stdout += text
      return true
    }
    const context = {
      env: {},
      folder: world.folder,
      stdout: { write: out },
      stderr: { write: () => true },
      connect: async () => ({ config, runtime, [Symbol.asyncDispose]: async () => {} }),
    } as unknown as CliContext
    expect(await runProgram(await buildProgram(context, {}, args), args)).toBe(0)
    return stdout
  }
  const ids = (await cli('select', '--run', run.name, '--round', '1')).trimEnd().split('\n')
  expect(ids).toHaveLength(10)
  const some = await cli('select', '--run', run.name, '--round', '1', '--from', '4', '--documents', '3', '--json')
  expect(
    some
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual([4, 5, 6].map((index) => ({ index, docId: ids[index] })))
  const rounds = (await cli('compare', run.name, run.name, '--json')).trimEnd().split('\n')
  expect(rounds.map((line) => JSON.parse(line))).toMatchObject(
    [0, 1, 2].map((round) => ({ round, same: true, documents: [10, 10], common: 10 })),
  )
  expect(await cli('compare', run.name, run.name)).toContain('all, same order')
  expect(JSON.parse(await cli('topics', '--json'))).toContainEqual({
    topic: topics.documents.name,
    holds: ['Document'],
    key: 'document id',
    cleanup: 'delete',
    partitions: config.corpus.partitions,
    offsets: expect.any(Number),
  })
  const shown = JSON.parse(await cli('top', '--json')) as { runs: { run: string }[] }
  expect(shown.runs.map((one) => one.run)).toContain(run.name)
})
