import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { lastRecords, offsetsOfLast } from '../../services/runtime/kafka/last-records.ts'
import { connect, newTopic, readAll, text, until } from '../support/kafka.ts'

test('the newest records of all partitions, by the time at which they were written, and where to read on', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka, { partitions: 3 })
  const producer = await kafka.producer()
  const send = async (...values: [number, string][]) => {
    await producer.send(
      values.map(([partition, value]) => ({ topic, key: null, value: Buffer.from(value), partition })),
    )
    await sleep(5)
  }
  await send([0, 'a'], [0, 'b'])
  await send([2, 'c'])
  await send([0, 'd'])
  const newest = async (count: number) => {
    const { records, next } = await lastRecords(kafka, topic, count)
    return [records.map(text), next]
  }
  expect(await newest(1)).toEqual([['d'], [3, 0, 1]])
  expect(await newest(3)).toEqual([
    ['b', 'c', 'd'],
    [3, 0, 1],
  ])
  expect(await newest(10)).toEqual([
    ['a', 'b', 'c', 'd'],
    [3, 0, 1],
  ])
  expect(await newest(0)).toEqual([[], [3, 0, 1]])
})

test('the last records are found in spite of transaction markers, aborted records and empty partitions', async () => {
  const kafka = connect()
  const topic = await newTopic(kafka, { partitions: 2 })
  const producer = await kafka.producer({ transactionalId: randomUUID() })
  const send = (value: string, end: () => void = () => {}) =>
    producer.transaction(async (inside) => {
      await inside([{ topic, key: null, value: Buffer.from(value), partition: 1 }])
      end()
    })
  for (let i = 0; i < 20; i++) await send(`${i}`)
  for (let i = 0; i < 20; i++)
    await send('aborted', () => {
      throw new Error('no')
    }).catch(() => {})
  // Each transaction has a record and a marker.
  await until(async () => (await kafka.endOffsets(topic))[1] === 80)
  for (const count of [1, 3, 20]) {
    const last = await readAll(kafka, topic, await offsetsOfLast(kafka, topic, count))
    expect(last.map(text)).toEqual(Array.from({ length: count }, (_, i) => `${20 - count + i}`))
  }
  expect(await offsetsOfLast(kafka, topic, 0)).toEqual([0, 80])
  expect(await offsetsOfLast(kafka, topic, 100)).toEqual([0, 0])
})
