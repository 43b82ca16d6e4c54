import { randomUUID } from 'node:crypto'
import kafkajs, { Kafka as KafkajsClient } from 'kafkajs'
import { expect, inject, onTestFinished, test } from 'vitest'
import type { Kafka } from '../../services/runtime/kafka/port.ts'
import { connect, newTopic, readAll, text, until } from '../support/kafka.ts'

const record = (topic: string, key: string, partition = 0) => ({ topic, key, value: Buffer.from(key), partition })

/** A transaction is visible some milliseconds after its commit: when its marker is written. */
const visible = (kafka: Kafka, topic: string, end: number) =>
  until(async () => (await kafka.endOffsets(topic))[0] === end)

test('a topic first asked about during a refresh of another’s metadata still has its partitions', async () => {
  const setup = connect()
  const known = await newTopic(setup)
  const topics = await Promise.all(Array.from({ length: 16 }, () => newTopic(setup, { partitions: 3 })))
  // Its shared connection knows none of them.
  const kafka = connect()
  await kafka.endOffsets(known)
  for (const [turns, topic] of topics.entries()) {
    const other = kafka.logsOf(known)
    // A little later each time: after some turns the request about the other topic is on its way.
    for (let turn = 0; turn < turns; turn++) await null
    expect(await kafka.endOffsets(topic), `after ${turns} turns`).toEqual([0, 0, 0])
    await other
  }
})

test('an empty topic is read to its end at once', async () => {
  const kafka = connect()
  expect(await readAll(kafka, await newTopic(kafka, { partitions: 4 }))).toEqual([])
})

test('all partitions are read, including empty ones, and no consumer group is left behind', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka, { partitions: 4 })
  const producer = await kafka.producer()
  await producer.send([record(topic, 'a', 1), record(topic, 'b', 1), record(topic, 'c', 3)])
  const read = await readAll(kafka, topic)
  expect(read.map((found) => [found.partition, found.offset, text(found)])).toEqual([
    [1, 0, 'a'],
    [1, 1, 'b'],
    [3, 0, 'c'],
  ])
  const admin = new KafkajsClient({ brokers: inject('brokers'), logLevel: kafkajs.logLevel.NOTHING }).admin()
  onTestFinished(() => admin.disconnect())
  await admin.connect()
  const { groups } = await admin.listGroups()
  expect(groups.filter(({ groupId }) => groupId.includes(topic))).toEqual([])
})

test('reading ends even if the last offsets are markers, or records of an aborted or open transaction', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  const producer = await kafka.producer({ transactionalId: randomUUID() })
  await producer.transaction((send) => send([record(topic, 'a')]))
  await visible(kafka, topic, 2)
  expect((await readAll(kafka, topic)).map(text)).toEqual(['a'])
  await producer
    .transaction(async (send) => {
      await send([record(topic, 'aborted')])
      throw new Error('no')
    })
    .catch(() => {})
  await visible(kafka, topic, 4)
  expect((await readAll(kafka, topic)).map(text)).toEqual(['a'])
  await producer.transaction(async (send) => {
    await send([record(topic, 'open')])
    expect(await kafka.endOffsets(topic)).toEqual([4])
    expect((await readAll(kafka, topic)).map(text)).toEqual(['a'])
    expect(await readAll(kafka, topic, [4])).toEqual([])
  })
  await visible(kafka, topic, 6)
  expect((await readAll(kafka, topic, [2])).map((found) => [found.offset, text(found)])).toEqual([[4, 'open']])
})

test('a topic that holds only markers has no records', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  const producer = await kafka.producer({ transactionalId: randomUUID() })
  const aborted = producer.transaction(async (send) => {
    await send([record(topic, 'aborted')])
    throw new Error('no')
  })
  await aborted.catch(() => {})
  await visible(kafka, topic, 2)
  expect(await readAll(kafka, topic)).toEqual([])
})

test('reading may begin at any offset; past the end there is nothing to read', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka, { partitions: 2 })
  const producer = await kafka.producer()
  await producer.send(Array.from({ length: 100 }, (_, i) => record(topic, `${i}`, i % 2)))
  const places = (await readAll(kafka, topic, [48, 50])).map(({ partition, offset }) => [partition, offset])
  expect(places).toEqual([
    [0, 48],
    [0, 49],
  ])
  expect(await readAll(kafka, topic, [1e9, 50])).toEqual([])
})

test('a caller may stop after the first batch and read another topic at once', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  const producer = await kafka.producer()
  const value = Buffer.alloc(100_000)
  await producer.send(Array.from({ length: 120 }, (_, i) => ({ topic, key: `${i}`, value })))
  let batches = 0
  let first: number | undefined
  for await (const [found] of kafka.read(topic, [60])) {
    batches++
    first = found?.offset
    break
  }
  expect([batches, first]).toEqual([1, 60])
  expect(await readAll(kafka, topic)).toHaveLength(120)
})

test('records written during a read are not waited for', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  const producer = await kafka.producer()
  const value = Buffer.alloc(900_000)
  await producer.send(Array.from({ length: 10 }, (_, i) => ({ topic, key: `${i}`, value })))
  let count = 0
  for await (const batch of kafka.read(topic)) {
    count += batch.length
    await producer.send([record(topic, 'later')])
  }
  expect(count).toBe(10)
})

test('a compacted topic is read to its end across the removed records', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka, { cleanup: 'compact' })
  const admin = new KafkajsClient({ brokers: inject('brokers'), logLevel: kafkajs.logLevel.NOTHING }).admin()
  onTestFinished(() => admin.disconnect())
  await admin.connect()
  const configEntries = Object.entries({
    'segment.ms': '100',
    'min.cleanable.dirty.ratio': '0.001',
    'delete.retention.ms': '0',
    'max.compaction.lag.ms': '200',
  }).map(([name, value]) => ({ name, value }))
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name: topic,
        configEntries: [{ name: 'cleanup.policy', value: 'compact' }, ...configEntries],
      },
    ],
  })
  const producer = await kafka.producer({ transactionalId: randomUUID() })
  for (let round = 0; round < 4; round++) {
    await producer.transaction((send) => send(Array.from({ length: 20 }, (_, i) => record(topic, `${i % 4}`))))
    await new Promise((resolve) => setTimeout(resolve, 150))
  }
  // A segment is cleaned only when a later one has begun.
  await producer.transaction((send) => send([record(topic, 'last')]))
  const keys = async () => (await readAll(kafka, topic)).map(text)
  await until(async () => (await keys()).length < 40, 60_000)
  const left = await readAll(kafka, topic)
  expect(new Set(left.map(text))).toEqual(new Set(['0', '1', '2', '3', 'last']))
  const offsets = left.map(({ offset }) => offset)
  expect(offsets).toEqual([...offsets].sort((a, b) => a - b))
  // From every offset on: also from those whose records are gone.
  const [end] = await kafka.endOffsets(topic)
  for (let from = 0; from <= end!; from++) {
    const found = await readAll(kafka, topic, [from])
    expect(found.map(({ offset }) => offset)).toEqual(offsets.filter((offset) => offset >= from))
  }
}, 120_000)
