import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
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
