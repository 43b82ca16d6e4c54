import { expect, inject, test } from 'vitest'
import { allRecords, DeadLetter, Document } from '../../schemas/index.ts'
import { createCodec } from '../../services/runtime/codec.ts'
import { connect, readAll, until } from '../support/kafka.ts'
import { document, labelled, letters, setUpLabeler, startLabeler } from '../support/label-station.ts'

async function setUp() {
  const kafka = connect()
  const codec = await createCodec({ registry: inject('registryUrl'), records: allRecords })
  return { kafka, codec, ...(await setUpLabeler(kafka)) }
}

test('poison among documents goes to dead letters, and the documents around it are processed', async () => {
  const { kafka, codec, actor, input } = await setUp()
  const producer = await kafka.producer()
  const values = [codec.encode(Document, document(1n)), Buffer.from('poison'), codec.encode(Document, document(2n))]
  await producer.send(values.map((value) => ({ topic: input, key: 'k', partition: 1, value })))
  const station = await startLabeler(kafka, codec, actor, input)
  await until(() => station.stats().positions[`${input}[1]`] === 3)
  await station.close()
  expect(await labelled(kafka, codec, actor)).toEqual([1n, 2n])
  const all = await Promise.all((await readAll(kafka, letters)).map(({ value }) => codec.decodeAs(DeadLetter, value!)))
  expect(all.filter(({ topic }) => topic === input)).toMatchObject([
    { reason: 'bad-framing', origin: `${input}[1]@1`, value: Buffer.from('poison'), key: Buffer.from('k') },
  ])
})

test('a station that is closed and restarted continues after the last record it processed', async () => {
  const { kafka, codec, actor, input } = await setUp()
  const producer = await kafka.producer()
  const send = (ids: bigint[]) =>
    producer.send(ids.map((id) => ({ topic: input, key: `${id}`, value: codec.encode(Document, document(id)) })))
  await send([1n, 2n, 3n])
  const first = await startLabeler(kafka, codec, actor, input, true)
  await until(() => first.stats().read[input] === 3)
  await first.close()
  await send([4n, 5n])
  const second = await startLabeler(kafka, codec, actor, input, true)
  await until(() => second.stats().read[input] === 2)
  await second.close()
  await until(async () => (await labelled(kafka, codec, actor)).length === 5)
  expect(await labelled(kafka, codec, actor)).toEqual([1n, 2n, 3n, 4n, 5n])
})
