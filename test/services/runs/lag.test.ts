import { expect, test } from 'vitest'
import { runTopics, topics } from '../../../schemas/index.ts'
import { StationLags } from '../../../services/runs/lag.ts'
import { consumerGroupOf, ephemeralGroup, groupNamed } from '../../../services/runtime/consumer-groups.ts'
import { FakeKafka } from '../../support/fake-kafka.ts'
import { testRun } from '../../support/run.ts'

const documents = topics.documents.name
const { consoleState } = runTopics('r')
const definition = (name: string, partitions = 1) => ({ name, partitions, cleanup: 'delete', retentionMs: -1 }) as const

async function world() {
  const kafka = new FakeKafka()
  await kafka.createTopics([definition(documents, 2), definition(consoleState.name)])
  const measure = async (labelers?: ReadonlyMap<string, string>) => {
    const ends = new Map<string, number[]>()
    for (const topic of await kafka.topicNames()) ends.set(topic, await kafka.endOffsets(topic))
    return await new StationLags(kafka).measure({ runs: [testRun('r')], ...(labelers && { labelers }) }, ends)
  }
  const write = async (topic: string, partition: number, count: number) => {
    const producer = await kafka.producer()
    await producer.send(Array.from({ length: count }, () => ({ topic, partition, key: 'k', value: Buffer.from('v') })))
  }
  return { kafka, measure, write }
}

test('a station’s lag is what its group has not committed, even while it is not running; shared stations belong to no run', async () => {
  const { kafka, measure, write } = await world()
  await write(documents, 0, 5)
  await write(documents, 1, 3)
  expect(await measure()).toEqual([])
  kafka.committed.set(`${groupNamed('label sink')} ${documents}[0]`, 4)
  kafka.committed.set(`${groupNamed('label sink')} ${documents}[1]`, 3)
  expect(await measure()).toEqual([
    { run: null, station: 'label sink', topic: documents, partitions: [1, 0], oldestMs: 0 },
  ])
})

test('transaction markers do not count as lag', async () => {
  const { kafka, measure } = await world()
  const producer = await kafka.producer({ transactionalId: 'console' })
  await producer.transaction((send) => send([{ topic: consoleState.name, key: 'k', value: Buffer.from('v') }]))
  const group = ephemeralGroup(groupNamed('actor quality', 'r'))
  const consumer = await kafka.consume({
    groupId: group,
    topics: [consoleState.name],
    onBatch: async () => {},
    onFailure: () => {},
  })
  kafka.committed.set(`${group} ${consoleState.name}[0]`, 1)
  const [lag] = await measure()
  expect(lag).toMatchObject({ run: 'r', station: 'actor quality', partitions: [0], oldestMs: null })
  await consumer.close()
})

test('of several instances that each read everything, the one furthest behind counts', async () => {
  const { kafka, measure, write } = await world()
  await write(consoleState.name, 0, 10)
  for (const committed of [9, 4, 10]) {
    const groupId = ephemeralGroup(groupNamed('trainer', 'r'))
    await kafka.consume({ groupId, topics: [consoleState.name], onBatch: async () => {}, onFailure: () => {} })
    await new Promise((resolve) => setImmediate(resolve))
    kafka.committed.set(`${groupId} ${consoleState.name}[0]`, committed)
  }
  expect(await measure()).toContainEqual(expect.objectContaining({ station: 'trainer', partitions: [6] }))
  await kafka.close()
})

test('the configured labeler counts in addition to those of runs, each version separately', async () => {
  const { kafka, measure, write } = await world()
  await write(documents, 0, 5)
  const labelers = new Map([['quality', 'new']])
  const of = (version: string) => groupNamed(`labeler quality ${version}`)
  kafka.committed.set(`${of('new')} ${documents}[0]`, 1)
  kafka.committed.set(`${of(testRun('r').labelers.quality!)} ${documents}[0]`, 4)
  const found = await measure(labelers)
  expect(found.map(({ station, partitions }) => [station, partitions[0]])).toEqual([
    ['labeler quality', 4],
    ['labeler quality', 1],
  ])
})

test('the comparison with evaluation sets has a lag where there are sets, in the group of their version, and belongs to no run', async () => {
  const { kafka, write } = await world()
  await write(documents, 0, 5)
  const group = consumerGroupOf({ kind: 'decontamination' }, { versions: { 'eval-sets': 'v1' } })
  kafka.committed.set(`${group} ${documents}[0]`, 2)
  const ends = new Map([[documents, await kafka.endOffsets(documents)]])
  const measure = (evalSets?: string) => new StationLags(kafka).measure({ runs: [testRun('r')], evalSets }, ends)
  expect(await measure('v1')).toEqual([
    { run: null, station: 'decontamination', topic: documents, partitions: [3, 0], oldestMs: 0 },
  ])
  // With other sets every document is compared again.
  expect(await measure('v2')).toEqual([])
  expect(await measure()).toEqual([])
})
