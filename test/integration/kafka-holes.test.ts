import { randomUUID } from 'node:crypto'
import kafkajs, { type Admin, Kafka as KafkajsClient } from 'kafkajs'
import { expect, inject, onTestFinished, test } from 'vitest'
import type { ConsumeOptions, Hole, Kafka } from '../../services/runtime/kafka/port.ts'
import { connect, newTopic, text, until } from '../support/kafka.ts'

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `${from + i}`)

async function newAdmin(): Promise<Admin> {
  const admin = new KafkajsClient({ brokers: inject('brokers'), logLevel: kafkajs.logLevel.NOTHING }).admin()
  onTestFinished(() => admin.disconnect())
  await admin.connect()
  return admin
}

async function deleteBefore(topic: string, offset: number): Promise<void> {
  const admin = await newAdmin()
  // It deletes in topics alone that it has asked about.
  await admin.fetchTopicOffsets(topic)
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: `${offset}` }] })
}

async function write(kafka: Kafka, topic: string, texts: readonly string[]): Promise<void> {
  const producer = await kafka.producer()
  await producer.send(texts.map((value) => ({ topic, key: value, value: Buffer.from(value), partition: 0 })))
  await producer.close()
}

/** The topic is made again, as it was, under its name. */
async function makeAgain(kafka: Kafka, topic: string): Promise<void> {
  await kafka.deleteTopics([topic])
  await kafka.createTopics([{ name: topic, partitions: 1, cleanup: 'delete', retentionMs: -1 }])
}

/** A consumer that asks before it goes on behind a hole. */
function reader(kafka: Kafka, topic: string, options: Partial<ConsumeOptions> = {}) {
  const read: string[] = []
  const holes: Hole[] = []
  const failures: unknown[] = []
  const accepted = Promise.withResolvers<void>()
  const open = () =>
    kafka.consume({
      groupId: `group-${topic}`,
      topics: [topic],
      isKeptWhole: () => true,
      onBatch: async (records) => void read.push(...records.map((record) => text(record)!)),
      onFailure: (error) => failures.push(error),
      onHole: async (hole) => {
        holes.push(hole)
        await accepted.promise
      },
      ...options,
    })
  return { read, holes, failures, accept: () => accepted.resolve(), open }
}

/** Reads what there is, and is closed. */
async function readOnce(kafka: Kafka, topic: string, count: number): Promise<void> {
  const { open, read } = reader(kafka, topic)
  const consumer = await open()
  await until(() => read.length >= count)
  await consumer.close()
}

test('records deleted while nobody reads are a hole, and nothing after it is read until it is accepted', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  await write(kafka, topic, range(0, 50))
  await readOnce(kafka, topic, 50)
  await write(kafka, topic, range(50, 100))
  await deleteBefore(topic, 80)

  const { open, read, holes, accept, failures } = reader(kafka, topic)
  await open()
  await until(() => holes.length > 0)
  expect(holes).toMatchObject([{ topic, partition: 0, reason: 'deleted', from: 50, to: 80 }])
  await write(kafka, topic, ['late'])
  expect(read).toEqual([])
  expect(await kafka.committedOffsets(`group-${topic}`, topic)).toEqual([50])
  accept()
  await until(() => read.length === 21)
  expect(read).toEqual([...range(80, 100), 'late'])
  expect(failures).toEqual([])
})

test('a group moves past an accepted hole even before another record arrives', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  await write(kafka, topic, range(0, 10))
  await readOnce(kafka, topic, 10)
  await write(kafka, topic, range(10, 20))
  await deleteBefore(topic, 20)
  const { open, holes, accept } = reader(kafka, topic)
  await open()
  await until(() => holes.length > 0)
  accept()
  await until(async () => (await kafka.committedOffsets(`group-${topic}`, topic))[0] === 20)
})

test('records deleted before a reader that is busy with a batch reaches them are a hole', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  await write(kafka, topic, ['first'])
  const held = Promise.withResolvers<void>()
  const seen: string[] = []
  const { open, holes, accept, failures } = reader(kafka, topic, {
    onBatch: async (records) => {
      seen.push(...records.map((record) => text(record)!))
      await held.promise
    },
  })
  await open()
  await until(() => seen.length === 1)
  await write(kafka, topic, range(1, 40))
  await deleteBefore(topic, 30)
  held.resolve()
  await until(() => holes.length > 0)
  expect(holes).toMatchObject([{ reason: 'deleted', from: 1, to: 30 }])
  expect(seen).toEqual(['first'])
  accept()
  await until(() => seen.length === 11)
  expect(seen).toEqual(['first', ...range(30, 40)])
  expect(failures).toEqual([])
})

test('a topic recreated while nobody reads is a hole, however many records the new one has', async () => {
  const kafka = connect()
  for (const records of [3, 60]) {
    const topic = await newTopic(kafka)
    await write(kafka, topic, range(0, 20))
    await readOnce(kafka, topic, 20)
    await makeAgain(kafka, topic)
    await write(kafka, topic, range(100, 100 + records))

    const { open, read, holes, accept } = reader(kafka, topic)
    const consumer = await open()
    // The coordinator may have forgotten the group's offsets with the topic: then all of the new one is read.
    await until(() => holes.length > 0 || read.length === records)
    if (holes.length > 0) {
      expect(holes).toMatchObject([{ reason: 'recreated', from: 20, to: 0 }])
      expect(read).toEqual([])
      accept()
    }
    await until(() => read.length === records)
    expect(read).toEqual(range(100, 100 + records))
    await consumer.close()
  }
})

test('a topic recreated under a reader is detected, and read from its beginning once accepted', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  await write(kafka, topic, range(0, 20))
  const { open, read, holes, accept } = reader(kafka, topic, { startOffset: () => 0 })
  await open()
  await until(() => read.length === 20)
  await makeAgain(kafka, topic)
  await write(kafka, topic, range(100, 150))
  await until(() => holes.length > 0)
  expect(holes[0]).toMatchObject({ reason: 'recreated', from: expect.any(Number), to: 0 })
  accept()
  await until(() => range(100, 150).every((value) => read.includes(value)))
})

test('a reader that must start at offset 0 of a topic that lost its beginning meets a hole', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  await write(kafka, topic, range(0, 30))
  await deleteBefore(topic, 12)
  const { open, read, holes, accept } = reader(kafka, topic)
  await open()
  await until(() => holes.length > 0)
  expect(holes).toMatchObject([{ reason: 'deleted', from: 0, to: 12 }])
  accept()
  await until(() => read.length === 18)

  const other = reader(kafka, topic, { isKeptWhole: () => false, groupId: `other-${topic}` })
  await other.open()
  await until(() => other.read.length === 18)
  expect(other.holes).toEqual([])
})

test('a reader without somebody to ask stops, naming what is missing', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  await write(kafka, topic, range(0, 30))
  await deleteBefore(topic, 12)
  const { open, read, failures } = reader(kafka, topic, { onHole: undefined } as object)
  await open()
  await until(() => failures.length > 0)
  expect(failures).toMatchObject([
    { code: 'BAD_DATA', message: `${topic}[0]: the records from 0 to before 12 were deleted before they were read.` },
  ])
  expect(read).toEqual([])
})

test('records known to be unprocessed are read again at once, without waiting for a new record', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  await write(kafka, topic, range(0, 20))
  await readOnce(kafka, topic, 20)
  const { open, read } = reader(kafka, topic, { floorOffset: async () => 5 })
  await open()
  await until(() => read.length === 15)
  expect(read).toEqual(range(5, 20))
})

test('transaction markers and aborted transactions are not holes', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  const producer = await kafka.producer({ transactionalId: randomUUID() })
  const send = (values: readonly string[], end: () => void = () => {}) =>
    producer.transaction(async (inside) => {
      await inside(values.map((value) => ({ topic, key: value, value: Buffer.from(value), partition: 0 })))
      end()
    })
  const { open, read, holes } = reader(kafka, topic)
  await open()
  for (let i = 0; i < 20; i++) {
    await send([`${i}`])
    await send([`no ${i}`, `no ${i}`], () => {
      throw new Error('no')
    }).catch(() => {})
  }
  await until(() => read.length === 20)
  expect(read).toEqual(range(0, 20))
  expect(holes).toEqual([])
  // The last things in the log are aborted records and their marker: the group has come past them.
  await until(
    async () => (await kafka.committedOffsets(`group-${topic}`, topic))[0] === (await kafka.endOffsets(topic))[0],
  )
})

test('a topic’s log reports its id, its beginning, its last stable offset and its end', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka, { partitions: 2 })
  const producer = await kafka.producer({ transactionalId: randomUUID() })
  await write(kafka, topic, range(0, 10))
  await deleteBefore(topic, 4)
  await producer.transaction(async (send) => {
    await send([{ topic, key: null, value: Buffer.from('open'), partition: 0 }])
    const [first, second] = await kafka.logsOf(topic)
    expect(first).toMatchObject({ topic, partition: 0, first: 4, stable: 10, end: 11 })
    expect(second).toMatchObject({ partition: 1, first: 0, stable: 0, end: 0 })
    expect(first?.topicId).toMatch(/^[\w-]{22}$/)
  })
  const [before] = await kafka.logsOf(topic)
  await makeAgain(kafka, topic)
  expect((await kafka.logsOf(topic))[0]?.topicId).not.toBe(before?.topicId)
})
