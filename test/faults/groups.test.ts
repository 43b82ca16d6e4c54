import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { labelsTopic, topics } from '../../schemas/index.ts'
import type { Runtime } from '../../services/connections/connections.ts'
import { until } from '../support/kafka.ts'
import { repeatsOf } from './cases.ts'
import { subcategories } from './corpus.ts'
import { addDocuments, expectSunk, openPipeline } from './pipeline.ts'
import { Service } from './service.ts'
import { groupOf, type StationChildOptions } from './stations.ts'
import { renewCorpusTopics } from './topics.ts'
import { openDatabase, openWorld, type World } from './world.ts'

const world: World = await openWorld()
beforeEach(() => renewCorpusTopics(world))
afterAll(() => world.close())

/** Rows are sunk before the offsets that they came from. */
async function expectCommitted({ kafka, store }: Runtime, of: readonly { readonly name: string }[]): Promise<void> {
  const ends = await Promise.all(
    of.map(async ({ name }) =>
      (await kafka.endOffsets(name)).map((offsetNext, partition) => ({ topic: name, partition, offsetNext })),
    ),
  )
  const reached = ends.flat().filter(({ offsetNext }) => offsetNext > 0)
  await expect.poll(() => store.committed(), { timeout: 60_000 }).toEqual(expect.arrayContaining(reached))
}

test('if somebody else moves a group’s offsets, its station neither skips nor doubles anything', async ({
  onTestFinished,
}) => {
  const { runtime, failures, start, group } = await openPipeline(await openDatabase(), onTestFinished)
  const groupId = `${group}.label-sink`
  const first = await start('label sink')
  await expectSunk(runtime, await addDocuments(runtime, 300))
  await first.close()
  await addDocuments(runtime, 300)
  const move = async (where: (end: number) => number) => {
    const ends = await runtime.kafka.endOffsets(topics.documents.name)
    const partitions = ends.map((end, partition) => ({ partition, offset: `${where(end)}` }))
    await world.admin.setOffsets({ groupId, topic: topics.documents.name, partitions })
  }
  // Past everything that the sink has not seen yet.
  await move((end) => end)
  await addDocuments(runtime, 300)
  const second = await start('label sink')
  await expectSunk(runtime, 900)
  await second.close()
  // And back to the beginning.
  await move(() => 0)
  const third = await start('label sink')
  await addDocuments(runtime, 10)
  await expectSunk(runtime, 910)
  await third.close()
  expect(failures).toEqual([])
})

test('members that join and leave every two seconds double nothing, and work continues', async ({ onTestFinished }) => {
  const stormMs = process.env.WINNOW_FAULT_SOAK === '1' ? 60_000 : 14_000
  const { runtime, failures, start } = await openPipeline(await openDatabase(), onTestFinished)
  await start('label sink')
  let documents = 0
  let storming = true
  const written = (async () => {
    while (storming) {
      documents = await addDocuments(runtime, 40)
      await sleep(150)
    }
  })()
  const sunk = async (): Promise<number> => {
    const [row] = await runtime.clickHouse.sql.query<{ n: string }>('SELECT uniqExact(doc) AS n FROM corpus')
    return Number(row!.n)
  }
  const before = await sunk()
  for (let passedMs = 0; passedMs < stormMs; passedMs += 2000) {
    const guest = await start('label sink')
    await sleep(2000)
    await guest.close()
  }
  const progress = (await sunk()) - before
  storming = false
  await written
  expect(progress).toBeGreaterThan(200)
  await expectSunk(runtime, documents)
  expect(failures).toEqual([])
})

test('of two members of a label sink one is killed in the middle of a batch: the other takes over, nothing is lost or doubled', async ({
  onTestFinished,
}) => {
  const addresses = await openDatabase()
  const { runtime, failures, start, group } = await openPipeline(addresses, onTestFinished)
  const groupId = groupOf('label sink', group)
  const survivor = await start('label sink')
  const points = ['store before addLabels', 'store after addLabels', 'processed'] as const
  let documents = 0
  for (const point of points) {
    const options: StationChildOptions = {
      station: 'label sink',
      addresses,
      group,
      crash: { point, visit: 1, signal: 'SIGKILL' },
    }
    const victim = new Service('label sink', 'station-child.ts', options)
    onTestFinished(() => victim.kill())
    // Both have partitions, so the wave comes to both.
    await until(async () => {
      const [found] = await runtime.kafka.consumerGroups(groupId)
      return found?.members.filter(({ assigned }) => Object.keys(assigned).length > 0).length === 2
    })
    documents = await addDocuments(runtime, 400, { labelled: true })
    await victim.said(`reached ${point}`)
    await world.evict(groupId)
    await expectSunk(runtime, documents)
  }
  await expectCommitted(runtime, [topics.documents, ...Object.keys(subcategories).map(labelsTopic)])
  const [rows] = await runtime.clickHouse.sql.query(
    `SELECT count() AS rows, countIf(isNotNull(label_shape_v1) AND isNotNull(label_colour_v1)) AS labelled,
       (SELECT count() FROM documents FINAL) AS texts FROM corpus FINAL`,
  )
  const count = `${documents}`
  expect(rows).toEqual({ rows: count, labelled: count, texts: count })
  expect(failures).toEqual([])
  await survivor.close()
})

const zombies = Array.from({ length: repeatsOf({ landing: 1, soak: 10 }) }, (_, repeat) => repeat)

test.for(zombies)(
  'a label sink suspended beyond its session timeout corrupts nothing when it wakes (%d)',
  async (_, { onTestFinished }) => {
    const addresses = await openDatabase()
    const { runtime, start, group, failures } = await openPipeline(addresses, onTestFinished)
    const documents = await addDocuments(runtime, 600)
    const crash = { point: 'store before addDocuments', visit: 2, signal: 'SIGSTOP' } as const
    const options: StationChildOptions = { station: 'label sink', addresses, group, crash }
    const zombie = new Service('label sink', 'station-child.ts', options)
    onTestFinished(() => zombie.kill())
    await zombie.said(`reached ${crash.point}`)
    // The coordinator misses it after ten seconds; until then nobody else gets its partitions.
    await world.evict(groupOf('label sink', group))
    await start('label sink')
    await expectSunk(runtime, documents)
    await expectCommitted(runtime, [topics.documents])
    const committed = await runtime.store.committed()
    zombie.signal('SIGCONT')
    await sleep(3000)
    await expectSunk(runtime, documents)
    expect(await runtime.store.committed()).toEqual(committed)
    await zombie.stop()
    expect(failures).toEqual([])
  },
)
