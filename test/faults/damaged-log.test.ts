import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WinnowError } from '../../services/runtime/errors.ts'
import type { Hole } from '../../services/runtime/kafka/port.ts'
import { connect, newTopic, readAll, text, until } from '../support/kafka.ts'
import { brokersCanBeStarted, startBrokers, type TestBrokers } from './brokers.ts'

/** Changes one byte of what a broker has written, as a disk may. */
function damage(logFolder: string, topic: string, marker: string): void {
  const folder = join(logFolder, `${topic}-0`)
  const file = join(folder, readdirSync(folder).find((name) => name.endsWith('.log'))!)
  const bytes = readFileSync(file)
  const at = bytes.indexOf(marker)
  if (at < 0) throw new Error(`${marker} is not in ${file}`)
  bytes[at]! ^= 1
  writeFileSync(file, bytes)
}

describe.skipIf(!brokersCanBeStarted)('a byte of the log has changed on the disk', () => {
  let brokers: TestBrokers
  beforeAll(async () => {
    brokers = await startBrokers(1)
  })
  afterAll(() => brokers?.close())

  async function damagedTopic() {
    const kafka = connect(brokers.addresses)
    const topic = await newTopic(kafka)
    const producer = await kafka.producer()
    for (const value of ['first', 'second: Republic', 'third'])
      await producer.send([{ topic, key: null, value: Buffer.from(value) }])
    damage(brokers.brokers[0]!.logFolder, topic, 'Republic')
    return { kafka, topic }
  }

  const isDamage = (error: unknown, topic: string) => {
    expect(error).toBeInstanceOf(WinnowError)
    expect(error).toMatchObject({ code: 'BAD_DATA', message: expect.stringContaining(`${topic}[0]@1: `) })
    expect((error as WinnowError).message).toMatch(/its checksum is 0x[0-9a-f]{8}, not 0x[0-9a-f]{8}/)
  }

  test('a read returns the records before the damage, then names the offset', async () => {
    const { kafka, topic } = await damagedTopic()
    const read: (string | undefined)[] = []
    const reading = (async () => {
      for await (const records of kafka.read(topic)) read.push(...records.map(text))
    })()
    isDamage(await reading.catch((error: unknown) => error), topic)
    expect(read).toEqual(['first'])
    expect((await readAll(kafka, topic, [2])).map(text)).toEqual(['third'])
  })

  test('a consumer receives the records before the damage, and stops with the offset', async () => {
    const { kafka, topic } = await damagedTopic()
    const read: (string | undefined)[] = []
    const failures: unknown[] = []
    await kafka.consume({
      groupId: topic,
      topics: [topic],
      onBatch: async (records) => void read.push(...records.map(text)),
      onFailure: (error) => failures.push(error),
    })
    await until(() => failures.length > 0)
    isDamage(failures[0], topic)
    expect(read).toEqual(['first'])
    expect(await kafka.committedOffsets(topic, topic)).toEqual([1])
  })

  test('once somebody has accepted the damage, a station’s consumer continues after the damaged batch and skips no other record', async () => {
    const { kafka, topic } = await damagedTopic()
    const read: (string | undefined)[] = []
    const holes: Hole[] = []
    const failures: unknown[] = []
    const accepted = Promise.withResolvers<void>()
    const producer = await kafka.producer()
    await kafka.consume({
      groupId: topic,
      topics: [topic],
      isKeptWhole: () => true,
      onBatch: async (records) => void read.push(...records.map(text)),
      onFailure: (error) => failures.push(error),
      onHole: async (hole) => {
        holes.push(hole)
        await accepted.promise
      },
    })
    await until(() => holes.length > 0)
    expect(holes).toMatchObject([{ topic, partition: 0, reason: 'damaged', from: 1, to: 2 }])
    expect(read).toEqual(['first'])
    expect(await kafka.committedOffsets(topic, topic)).toEqual([1])
    accepted.resolve()
    await until(() => read.length === 2)
    await producer.send([{ topic, key: null, value: Buffer.from('fourth') }])
    await until(() => read.length === 3)
    expect(read).toEqual(['first', 'third', 'fourth'])
    expect(holes).toHaveLength(1)
    expect(failures).toEqual([])
  })
})

/**
 * Takes the batches from `marker` on away, as if this broker had never got them; it must not run. A marker is a word: one letter is also found
 * in a checksum or a timestamp now and then.
 */
function cutOff(logFolder: string, topic: string, marker: string): void {
  const folder = join(logFolder, `${topic}-0`)
  const file = join(folder, readdirSync(folder).find((name) => name.endsWith('.log'))!)
  const bytes = readFileSync(file)
  let at = 0
  while (!bytes.subarray(at, at + 12 + bytes.readInt32BE(at + 8)).includes(marker)) at += 12 + bytes.readInt32BE(at + 8)
  writeFileSync(file, bytes.subarray(0, at))
  for (const name of readdirSync(folder)) if (/index$|snapshot$/.test(name)) rmSync(join(folder, name))
}

describe.skipIf(!brokersCanBeStarted)('a log that has lost its end, and has grown again', () => {
  let brokers: TestBrokers
  beforeAll(async () => {
    brokers = await startBrokers(1)
  })
  afterAll(() => brokers?.close())

  test('is recognized by the epochs of its leaders, by readers that were down and by others; once accepted, it is read from where it differs', async () => {
    const [broker] = brokers.brokers
    const kafka = connect(brokers.addresses)
    const topic = await newTopic(kafka)
    const write = async (...values: string[]) => {
      const producer = await kafka.producer()
      for (const value of values) await producer.send([{ topic, key: null, value: Buffer.from(value) }])
      await producer.close()
    }
    const reader = async (groupId: string) => {
      const [read, holes, failures]: [string[], Hole[], unknown[]] = [[], [], []]
      const accepted = Promise.withResolvers<void>()
      const consumer = await kafka.consume({
        ...{ groupId, topics: [topic], isKeptWhole: () => true },
        onBatch: async (records) => void read.push(...records.map((record) => text(record)!)),
        onFailure: (error) => failures.push(error),
        onHole: async (hole) => {
          holes.push(hole)
          await accepted.promise
        },
      })
      return { read, holes, failures, accept: () => accepted.resolve(), close: () => consumer.close() }
    }
    await write('first', 'second', 'third', 'fourth')
    const down = await reader(`${topic}-down`)
    const up = await reader(`${topic}-up`)
    await until(() => down.read.length === 4 && up.read.length === 4)
    await down.close()

    // A restart alone is a change of leaders, and nothing is lost.
    await broker!.kill()
    await broker!.start()
    await write('fifth')
    await until(() => up.read.length === 5)
    const before = await reader(`${topic}-down`)
    await until(() => before.read.length === 1)
    await before.close()
    expect([up.holes, before.holes]).toEqual([[], []])

    await broker!.kill()
    cutOff(broker!.logFolder, topic, 'fourth')
    await broker!.start()
    await write('D', 'E', 'F', 'G')
    const again = await reader(`${topic}-down`)
    await until(() => again.holes.length > 0 && up.holes.length > 0)
    for (const { holes, read, failures } of [again, up]) {
      expect(holes).toMatchObject([{ topic, partition: 0, reason: 'truncated', from: 3, to: 5 }])
      expect(failures).toEqual([])
      expect(read).not.toContain('G')
    }
    again.accept()
    await until(() => again.read.length === 4)
    expect(again.read).toEqual(['D', 'E', 'F', 'G'])
  })
})
