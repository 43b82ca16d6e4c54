import kafkajs, { Kafka as KafkajsClient } from 'kafkajs'
import { expect, inject, onTestFinished, test } from 'vitest'
import { labelsTopic, runTopics, topics } from '../../schemas/index.ts'
import { createRunTopics } from '../../services/connections/connections.ts'
import { startCorpus } from '../../services/host/corpus.ts'
import { startRunStations } from '../../services/host/run.ts'
import { labelerConfig } from '../../services/labeler/labeler.ts'
import { countDocuments } from '../../services/runs/label-progress.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { systemClock } from '../../services/runtime/clock.ts'
import { sumOf } from '../../services/runtime/lag.ts'
import { Metrics } from '../../services/runtime/metrics/metrics.ts'
import { closeAll } from '../../services/runtime/service.ts'
import { cliOn } from '../support/cli.ts'
import { until } from '../support/kafka.ts'
import { openWorld } from './loop-world.ts'

const documents = topics.documents.name

interface ShownGap {
  gap: string
  topic: string
  partition: number
  from: number
  to: number
  reason: string
  accepted: boolean
}

/** A world with its command line; gaps of other tests of the cluster are left out. */
async function watchedWorld() {
  const metrics = new Metrics(systemClock)
  const world = await openWorld(30, { metrics })
  const cli = cliOn(world.runtime, world.config, world.folder)
  const ids = new Set((await world.runtime.kafka.logsOf(documents)).map(({ topicId }) => topicId))
  const gaps = async () =>
    (await cli('gaps', 'list', '--json')).stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as ShownGap & { topicId: string })
      .filter(({ topic, topicId }) => topic === documents && ids.has(topicId))
  const waiting = async () =>
    (await metrics.registry.metrics())
      .split('\n')
      .filter((line) => line.startsWith('winnow_waiting_partitions{') && line.includes(documents))
  const count = () => countDocuments(world.runtime, new Map(Object.entries(world.versions)))
  return { ...world, cli, gaps, waiting, count }
}

async function deleteDocuments(offsets: readonly number[]): Promise<void> {
  const admin = new KafkajsClient({ brokers: inject('brokers'), logLevel: kafkajs.logLevel.NOTHING }).admin()
  onTestFinished(() => admin.disconnect())
  await admin.connect()
  await admin.fetchTopicOffsets(documents)
  const partitions = offsets.map((offset, partition) => ({ partition, offset: `${offset}` }))
  await admin.deleteTopicRecords({ topic: documents, partitions })
}

test('documents deleted before labelers and sink read them are reported, and skipped only once somebody accepts it', async () => {
  const { cli, gaps, waiting, count, runtime, ...world } = await watchedWorld()
  await world.stopCorpus()
  expect((await cli('status')).stdout).not.toContain('gap winnow.documents')
  const before = await runtime.kafka.endOffsets(documents)
  await world.ingest(30, 60)
  let after = before
  // The markers of a transaction are written some milliseconds after it.
  await until(async () => {
    after = await runtime.kafka.endOffsets(documents)
    return sumOf(after) >= sumOf(before) + 60 + after.length
  })
  const cut = after.map((end, partition) => Math.max(before[partition]!, end - 4))
  const lost = sumOf(cut) - sumOf(before)
  expect(lost).toBeGreaterThan(10)
  await deleteDocuments(cut)

  // Nobody runs, and still it is told.
  expect((await cli('status')).stdout).toMatch(new RegExp(`gap winnow.documents.0.@\\d+-${cut[0]}: `))
  await world.startCorpus()
  const partitions = cut.length
  // Two labelers and the sink.
  await until(async () => (await waiting()).filter((line) => line.endsWith(` ${partitions}`)).length === 3)
  expect((await count()).documents).toBe(30)
  const found = await gaps()
  const names = found.map(({ gap }) => gap)
  // A group may not have come past the marker behind its last record.
  for (const { gap, topic, partition, reason, from, to, accepted } of found) {
    expect({ reason, to, accepted }).toEqual({ reason: 'deleted', to: cut[partition], accepted: false })
    expect(before[partition]! - from).toBeOneOf([0, 1])
    expect(gap).toBe(`${topic}[${partition}]@${from}-${to}`)
  }
  expect(new Set(found.map(({ partition }) => partition)).size).toBe(partitions)
  const status = JSON.parse((await cli('status', '--json')).stdout) as { gaps: { topic: string }[] }
  expect(status.gaps.length).toBeGreaterThanOrEqual(partitions)

  expect(await cli('gaps', 'accept', `${documents}[0]@0-1`)).toMatchObject({ code: 2 })
  expect(await cli('gaps', 'accept', ...names)).toMatchObject({ code: 0 })
  await until(async () => {
    const { documents: rows, complete } = await count()
    return rows === 90 - lost && complete === rows
  })
  expect(await waiting()).toEqual([])
  expect((await gaps()).map(({ accepted }) => accepted)).toEqual(names.map(() => true))
  expect((await cli('status')).stdout).not.toContain('gap winnow.documents')
})

test('a documents topic that was recreated while nothing ran is reported; once accepted, it is read from its beginning', async () => {
  const { cli, waiting, count, runtime, config, ...world } = await watchedWorld()
  await world.stopCorpus()
  await runtime.kafka.deleteTopics([documents])
  const { partitions } = config.corpus
  await runtime.kafka.createTopics([{ name: documents, partitions, cleanup: 'delete', retentionMs: -1 }])
  // More records than the topic before had: offsets alone tell nothing.
  await world.ingest(100, 120)
  await world.startCorpus()
  await until(async () => (await waiting()).length === 3 || (await count()).documents === 150)
  if ((await waiting()).length > 0) {
    expect((await cli('status')).stdout).toContain('was deleted and recreated')
    expect((await count()).documents).toBe(30)
    await cli('gaps', 'accept', '--all')
  }
  await until(async () => {
    const { documents: rows, complete } = await count()
    return rows === 150 && complete === rows
  })
})

test('an emptied ClickHouse is filled again without waiting for a new record', async () => {
  const { count, runtime, cli, ...world } = await watchedWorld()
  await world.stopCorpus()
  for (const table of ['corpus', 'documents', 'sink_offsets'])
    await runtime.clickHouse.sql.command(`TRUNCATE TABLE ${table}`)
  expect((await count()).documents).toBe(0)
  await world.startCorpus()
  await until(async () => {
    const { documents: rows, complete } = await count()
    return rows === 30 && complete === 30
  })
  expect((await cli('gaps', 'list')).code).toBe(0)
})

test('a new labeler reads from ClickHouse what the topic has deleted, and no person is asked', async () => {
  const { runtime, gaps, cli, config, versions, ...world } = await watchedWorld()
  // Behind the last record there is only the marker of its transaction: the sink has seen that as well.
  const sink = async () => (await runtime.kafka.committedOffsets('winnow.label-sink', documents)).map(Number)
  const ends = await runtime.kafka.endOffsets(documents)
  await until(async () => (await sink()).every((offset, partition) => offset === ends[partition]))
  await world.stopCorpus()
  await deleteDocuments(await runtime.kafka.endOffsets(documents))
  expect((await runtime.kafka.logsOf(documents)).map(({ first, end }) => end - first)).toEqual([0, 0, 0])
  // Another mapping is another version of the labeler.
  const [actor, other] = config.actors
  const labeler = {
    kind: 'metadata' as const,
    path: 'kind',
    mapping: { harbour: 'kitchen', kitchen: 'harbour', ledger: 'ledger' },
  }
  const changed = { ...config, actors: [{ ...actor!, labeler: labelerConfig.parse(labeler) }, other!] }
  const { services, versions: now } = await startCorpus(runtime, changed, (error) => {
    throw error
  })
  onTestFinished(() => closeAll(services))
  expect(now[actor!.name]).not.toBe(versions[actor!.name])
  const labelled = async () => await countDocuments(runtime, new Map(Object.entries(now)))
  await until(async () => (await labelled()).complete === 30)
  // Each document stands where it stood: in the partition of its record.
  const partitions = async (name: string) =>
    (await runtime.kafka.endOffsets(labelsTopic(name).name)).map((end) => end > 0)
  expect(await partitions(actor!.name)).toEqual(await partitions(other!.name))
  expect(await gaps()).toEqual([])
  expect((await cli('status')).stdout).not.toContain('gap winnow.documents')
  // And goes on with what comes.
  await world.ingest(60, 12)
  await until(async () => (await labelled()).complete === 42)
})

test('another program’s transaction that stays open is reported', async () => {
  const { cli, runtime } = await watchedWorld()
  const producer = await runtime.kafka.producer({ transactionalId: `stranger-${crypto.randomUUID()}` })
  await producer.transaction(async (send) => {
    await send([{ topic: documents, key: '1', value: Buffer.from('x'), partition: 1 }])
    const { stdout } = await cli('status')
    expect(stdout).toMatch(/held back: winnow\.documents\[1\]: a transaction that stays open at \d+ hides 1 records/)
  })
})

test('topics of a run that were recreated while its stations were down are reported, and nothing is decided on them until somebody accepts it', async () => {
  const world = await openWorld(30)
  const { runtime, config, folder } = world
  const cli = cliOn(runtime, config, folder)
  const run = world.run(`again-${crypto.randomUUID().slice(0, 8)}`)
  const { progress, rewards, consoleState } = runTopics(run.name)
  await submitRun(runtime, run)
  await createRunTopics(runtime.kafka, run)
  const failures: unknown[] = []
  const hooks = { influenceWorkers: 0, onFailure: (error: unknown) => failures.push(error) }
  const services = await startRunStations(runtime, run, world.model, hooks)
  await until(async () => (await runtime.kafka.endOffsets(consoleState.name))[0]! > 0)
  await closeAll(services)

  await runtime.kafka.deleteTopics([progress.name, rewards.name, consoleState.name])
  await createRunTopics(runtime.kafka, run)
  const told = async () =>
    (
      (await cli('status')).stdout.match(
        new RegExp(`gap winnow.run.${run.name}[^\n]*was deleted and recreated`, 'g'),
      ) ?? []
    ).length
  expect(await told()).toBeGreaterThanOrEqual(2 + 4)
  const again = await startRunStations(runtime, run, world.model, hooks)
  onTestFinished(() => closeAll(again))
  await until(async () =>
    (await cli('gaps', 'list', '--json')).stdout
      .split('\n')
      // Whoever comes first records it, an actor or the console.
      .some((line) => line.includes(`"topic":"${consoleState.name}"`) && !line.includes('"accepted":true')),
  )
  // Nothing is opened anew on what is left.
  expect((await runtime.kafka.endOffsets(consoleState.name))[0]).toBe(0)
  expect((await cli('gaps', 'accept', '--all')).code).toBe(0)
  await until(async () => (await runtime.kafka.endOffsets(consoleState.name))[0]! > 0)
  await closeAll(again)
  expect(await told()).toBe(0)
  expect(failures).toEqual([])
})
