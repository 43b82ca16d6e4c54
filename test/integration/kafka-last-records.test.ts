import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { offsetsOfLast } from '../../services/runtime/kafka/last-records.ts'
import { connect, newTopic, readAll, text, until } from '../support/kafka.ts'

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
