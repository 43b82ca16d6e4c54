import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, inject, onTestFinished, test } from 'vitest'
import type { IncomingRecord, Kafka, OutgoingRecord } from '../../services/runtime/kafka/port.ts'
import { connect, newTopic, readAll, text, until } from '../support/kafka.ts'

const record = (topic: string, key: string, value = key): OutgoingRecord => ({ topic, key, value: Buffer.from(value) })

/** A transaction is visible some milliseconds after its commit: when its marker is written. */
const visible = (kafka: Kafka, topic: string, end: number) =>
  until(async () => (await kafka.endOffsets(topic))[0] === end)

/** Consumes into a list; every consumer of a test is its own unless it names the group. */
async function collect(kafka: Kafka, topics: string[], options: Partial<Parameters<Kafka['consume']>[0]> = {}) {
  const records: IncomingRecord[] = []
  const failures: unknown[] = []
  const consumer = await kafka.consume({
    groupId: randomUUID(),
    topics,
    onBatch: async (batch) => void records.push(...batch),
    onFailure: (error) => failures.push(error),
    ...options,
  })
  return { records, failures, close: () => consumer.close() }
}

test('sent records are consumed in order within each partition, with key, value, partition and offset', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka, { partitions: 3 })
  const producer = await kafka.producer()
  const sent = Array.from({ length: 300 }, (_, i) => record(topic, `key ${i % 10}`, `value ${i}`))
  const ranges = await producer.send([...sent, { topic, key: 'gone', value: null }])
  expect(ranges.reduce((sum, { count }) => sum + count, 0)).toBe(301)
  const consumer = await collect(kafka, [topic])
  await until(() => consumer.records.length === 301)
  await consumer.close()
  const ends = [0, 0, 0]
  for (const { partition, offset } of consumer.records) expect(offset).toBe(ends[partition]!++)
  expect(await kafka.endOffsets(topic)).toEqual(ends)
  for (const range of ranges) expect(ends[range.partition]).toBe(range.offsetFirst + range.count)
  const ofKey = consumer.records.filter(({ key }) => key?.toString() === 'key 7').map(text)
  expect(ofKey).toEqual(Array.from({ length: 30 }, (_, i) => `value ${i * 10 + 7}`))
  expect(consumer.records.find(({ key }) => key?.toString() === 'gone')?.value).toBeNull()
})

test('a send of five megabytes is split, arrives complete and in order, and lands in one range of offsets', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  const producer = await kafka.producer()
  const sent = Array.from({ length: 50 }, (_, i) => record(topic, 'k', `${i}`.padEnd(100_000, '.')))
  expect(await producer.send(sent)).toEqual([{ topic, partition: 0, offsetFirst: 0, count: 50 }])
  const read = await readAll(kafka, topic)
  expect(read.map((found) => Number.parseInt(text(found)!, 10))).toEqual(Array.from({ length: 50 }, (_, i) => i))
})

test('a record of exactly the size limit is accepted; one byte more is refused before anything is sent', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  const producer = await kafka.producer()
  await producer.send([{ topic, key: null, value: randomBytes(1_048_500) }])
  const refused = producer.send([record(topic, 'small'), { topic, key: null, value: randomBytes(1_048_501) }])
  await expect(refused).rejects.toMatchObject({ code: 'BAD_DATA' })
  expect((await readAll(kafka, topic)).map(({ value }) => value?.length)).toEqual([1_048_500])
})

test('a larger record is accepted if its topic allows it or compression makes it fit, and is read back unchanged', async () => {
  const kafka = connect()
  const [usual, long] = [await newTopic(kafka), await newTopic(kafka, { messageBytesMax: 4_000_000 })]
  expect([await kafka.messageBytesMax(usual), await kafka.messageBytesMax(long)]).toEqual([1_048_588, 4_000_000])
  expect(await kafka.messageBytesMax('none')).toBe(1_048_588)
  const producer = await kafka.producer({ transactionalId: randomUUID() })
  const noise = randomBytes(3_900_000)
  const book = Buffer.from('It was a dark and stormy night; '.repeat(400_000))
  await producer.transaction((send) =>
    send([
      record(long, 'a'),
      { topic: long, key: null, value: noise },
      { topic: long, key: null, value: book },
      record(long, 'b'),
    ]),
  )
  await (await kafka.producer()).send([{ topic: usual, key: null, value: book }])
  await until(async () => (await readAll(kafka, long)).length === 4)
  const read = await readAll(kafka, long)
  expect(read.map(({ value }) => value?.length)).toEqual([1, noise.length, book.length, 1])
  expect(noise.equals(read[1]!.value!) && book.equals(read[2]!.value!)).toBe(true)
  const consumer = await collect(kafka, [usual, long])
  await until(() => consumer.records.length === 5)
  await consumer.close()
  expect(consumer.records.filter(({ value }) => value?.equals(book))).toHaveLength(2)
})

test('a record of exactly the size limit is also accepted within a transaction', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  const producer = await kafka.producer({ transactionalId: randomUUID() })
  await producer.transaction((send) => send([{ topic, key: null, value: Buffer.alloc(1_048_500, 1) }]))
  await until(async () => (await readAll(kafka, topic)).length > 0)
  expect((await readAll(kafka, topic)).map(({ value }) => value?.length)).toEqual([1_048_500])
})

test('a transaction is invisible until it is committed, and then visible as a whole', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  const other = await newTopic(kafka)
  const consumer = await collect(kafka, [topic, other])
  const producer = await kafka.producer({ transactionalId: randomUUID() })
  await producer.transaction(async (send) => {
    await send([record(topic, 'a'), record(other, 'b')])
    await send([record(topic, 'c')])
    expect(await kafka.endOffsets(topic)).toEqual([0])
    expect(await readAll(kafka, topic)).toEqual([])
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(consumer.records).toEqual([])
  })
  await until(() => consumer.records.length === 3)
  await consumer.close()
  expect((await readAll(kafka, topic)).map(text)).toEqual(['a', 'c'])
})

test('no record of a failed transaction is ever visible, and the next transaction works', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  const producer = await kafka.producer({ transactionalId: randomUUID() })
  const failing = producer.transaction(async (send) => {
    await send([record(topic, 'never')])
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  const [landed] = await producer.transaction((send) => send([record(topic, 'seen')]))
  expect(landed).toEqual({ topic, partition: 0, offsetFirst: 2, count: 1 })
  await visible(kafka, topic, 4)
  expect((await readAll(kafka, topic)).map(text)).toEqual(['seen'])
})

test('consecutive transactions do not wait long for each other’s markers', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  const producer = await kafka.producer({ transactionalId: randomUUID() })
  await producer.transaction((send) => send([record(topic, 'first')]))
  const started = performance.now()
  for (let i = 0; i < 20; i++) await producer.transaction((send) => send([record(topic, `${i}`)]))
  // 177 ms each with kafkajs's own retry times.
  expect((performance.now() - started) / 20).toBeLessThan(100)
})

test('a newer producer with the same transactional id fences the older one, for good', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  const transactionalId = randomUUID()
  const older = await kafka.producer({ transactionalId })
  await older.transaction((send) => send([record(topic, 'older')]))
  let newer: Awaited<ReturnType<Kafka['producer']>> | undefined
  const fenced = older.transaction(async (send) => {
    await send([record(topic, 'zombie')])
    newer = await kafka.producer({ transactionalId })
  })
  await expect(fenced).rejects.toMatchObject({ code: 'FENCED', retriable: false })
  await newer!.transaction((send) => send([record(topic, 'newer')]))
  await expect(older.transaction((send) => send([record(topic, 'again')]))).rejects.toMatchObject({ code: 'FENCED' })
  await newer!.transaction((send) => send([record(topic, 'newer still')]))
  // Three records, the zombie's and a marker each.
  await visible(kafka, topic, 8)
  expect((await readAll(kafka, topic)).map(text)).toEqual(['older', 'newer', 'newer still'])
})

test('offsets are committed after a batch, so the next group member continues after it', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  const producer = await kafka.producer({ transactionalId: randomUUID() })
  const groupId = randomUUID()
  await producer.transaction((send) => send([record(topic, 'a'), record(topic, 'b')]))
  const first = await collect(kafka, [topic], { groupId })
  await until(() => first.records.length === 2)
  await first.close()
  await producer.transaction((send) => send([record(topic, 'c')]))
  const second = await collect(kafka, [topic], { groupId })
  await until(() => second.records.length === 1)
  await second.close()
  expect(second.records.map(text)).toEqual(['c'])
})

test('a failing batch stops the consumer, is reported once, and is delivered again to the next consumer', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka)
  const producer = await kafka.producer()
  const groupId = randomUUID()
  await producer.send([record(topic, 'a')])
  let calls = 0
  const first = await collect(kafka, [topic], {
    groupId,
    onBatch: async () => {
      calls++
      throw new TypeError('a bug')
    },
  })
  await until(() => first.failures.length > 0)
  await first.close()
  expect(calls).toBe(1)
  expect(first.failures).toMatchObject([{ cause: expect.any(TypeError) }])
  const second = await collect(kafka, [topic], { groupId })
  await until(() => second.records.length === 1)
  await second.close()
})

test('startOffset overrides the committed offset in those partitions for which it returns one', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka, { partitions: 2 })
  const producer = await kafka.producer()
  const groupId = randomUUID()
  const both = [0, 1].flatMap((partition) => ['a', 'b', 'c'].map((key) => ({ ...record(topic, key), partition })))
  await producer.send(both)
  const first = await collect(kafka, [topic], { groupId })
  await until(() => first.records.length === 6)
  await first.close()
  const startOffset = (_topic: string, partition: number) => (partition === 1 ? 1 : undefined)
  const second = await collect(kafka, [topic], { groupId, startOffset })
  await until(() => second.records.length === 2)
  await new Promise((resolve) => setTimeout(resolve, 300))
  await second.close()
  expect(second.records.map((found) => [found.partition, text(found)])).toEqual([
    [1, 'b'],
    [1, 'c'],
  ])
})

test('two members share the partitions, and one takes over those that the other leaves', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka, { partitions: 4 })
  const producer = await kafka.producer()
  const groupId = randomUUID()
  const one = await collect(kafka, [topic], { groupId })
  const two = await collect(kafka, [topic], { groupId })
  const round = (n: number) => [0, 1, 2, 3].map((partition) => ({ ...record(topic, `${n}`), partition }))
  for (let n = 0; n < 20; n++) {
    await producer.send(round(n))
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const keyOf = ({ partition, offset }: IncomingRecord) => `${partition}@${offset}`
  await until(() => new Set([...one.records, ...two.records].map(keyOf)).size === 80)
  expect(new Set(two.records.map(({ partition }) => partition)).size).toBeGreaterThan(0)
  await one.close()
  const before = two.records.length
  await producer.send(round(20))
  await until(() => two.records.length >= before + 4)
  await two.close()
})

test('of more members than partitions, those without one disturb none of the others', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka, { partitions: 2 })
  const producer = await kafka.producer()
  const groupId = randomUUID()
  const members = [await collect(kafka, [topic], { groupId })]
  const read = () => members.flatMap(({ records }) => records.map(text))
  const expected: string[] = []
  for (let round = 0; round < 3; round++) {
    const sent = Array.from({ length: 20 }, (_, i) => `${round} ${i}`)
    await producer.send(sent.map((value) => record(topic, value, value)))
    expected.push(...sent)
    await until(() => new Set(read()).size === expected.length)
    // In the same process: kafkajs would share what they know of the group's offsets.
    members.push(await collect(kafka, [topic], { groupId }))
  }
  expect(members.flatMap(({ failures }) => failures)).toEqual([])
  expect(read().sort()).toEqual(expected.sort())
  await Promise.all(members.map((member) => member.close()))
})

test('a missing topic is a configuration error at once', async () => {
  const kafka = connect()
  const producer = await kafka.producer()
  const missing = `missing-${randomUUID()}`
  const error = { code: 'CONFIGURATION', message: expect.stringContaining('does not exist') }
  await expect(producer.send([record(missing, 'a')])).rejects.toMatchObject(error)
  await expect(collect(kafka, [missing])).rejects.toMatchObject(error)
  await expect(readAll(kafka, missing)).rejects.toMatchObject(error)
})

test('topics are created once, listed and deleted; creating one again with other settings is refused', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka, { partitions: 2, cleanup: 'compact' })
  const definition = { name: topic, partitions: 2, cleanup: 'compact', retentionMs: -1 } as const
  await kafka.createTopics([definition])
  expect(await kafka.topicNames()).toContain(topic)
  await expect(
    kafka.createTopics([{ ...definition, partitions: 3, cleanup: 'delete', retentionMs: 1000 }]),
  ).rejects.toMatchObject({
    code: 'CONFIGURATION',
    message: expect.stringMatching(
      `${topic} has partitions 2, not 3; ${topic} has cleanup.policy compact, not delete; ${topic} has retention.ms -1, not 1000`,
    ),
  })
  await kafka.deleteTopics([topic, 'never-was'])
  await until(async () => !(await kafka.topicNames()).includes(topic))
})

test('a deleted topic can be created again at once, and is empty', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka, { partitions: 2 })
  const producer = await kafka.producer()
  onTestFinished(() => producer.close())
  for (let round = 0; round < 10; round++) {
    await producer.send([record(topic, `${round}`)])
    await kafka.deleteTopics([topic])
    await kafka.createTopics([{ name: topic, partitions: 2, cleanup: 'delete', retentionMs: -1 }])
    expect(await readAll(kafka, topic)).toEqual([])
  }
})

test('a topic deleted by somebody else does not disturb requests about other topics or the creation of new ones', async () => {
  const [kafka, other] = [connect(), connect()]
  const [gone, stays] = [await newTopic(kafka), await newTopic(kafka)]
  const fresh = `kafka-${randomUUID()}`
  for (const topic of [gone, stays]) await kafka.committedOffsets('nobody', topic)
  await other.deleteTopics([gone])
  await until(async () => !(await other.topicNames()).includes(gone))
  expect(await kafka.consumerGroups('winnow-no-such.')).toEqual([])
  expect(await kafka.committedOffsets('nobody', stays)).toContain(null)
  await kafka.createTopics([{ name: fresh, partitions: 1, cleanup: 'delete', retentionMs: -1 }])
  expect(await kafka.topicNames()).toContain(fresh)
  await other.deleteTopics([fresh])
})

test('one of several broker addresses that accepts and drops connections does not prevent use of the others', async () => {
  let ended = 0
  const ending = createServer((socket) => {
    ended++
    socket.end()
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void ending.close())
  await once(ending, 'listening')
  const kafka = connect([`127.0.0.1:${(ending.address() as AddressInfo).port}`, ...inject('brokers')])
  const topic = await newTopic(kafka)
  const producer = await kafka.producer()
  await producer.send([record(topic, 'one')])
  expect((await readAll(kafka, topic)).map(text)).toEqual(['one'])
  const consumer = await collect(kafka, [topic])
  await until(() => consumer.records.length === 1)
  await consumer.close()
  expect(ended).toBeGreaterThan(2)
})

test('if no broker answers, the error is UNREACHABLE with the address and what to do, within seconds', async () => {
  const kafka = connect(['127.0.0.1:1'])
  const error = { code: 'UNREACHABLE', message: expect.stringContaining('127.0.0.1:1'), hint: expect.any(String) }
  await Promise.all([
    expect(kafka.producer()).rejects.toMatchObject(error),
    expect(kafka.topicNames()).rejects.toMatchObject(error),
    expect(readAll(kafka, 'x')).rejects.toMatchObject(error),
    expect(collect(kafka, ['x'])).rejects.toMatchObject(error),
  ])
}, 10_000)
