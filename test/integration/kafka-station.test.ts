import { randomUUID } from 'node:crypto'
import { expect, inject, test } from 'vitest'
import { allRecords, asDocumentId, DeadLetter, Document, Label, labelsTopic, topics } from '../../schemas/index.ts'
import { type Codec, createCodec } from '../../services/runtime/codec.ts'
import type { Kafka } from '../../services/runtime/kafka/port.ts'
import { createLog } from '../../services/runtime/log.ts'
import { runStation } from '../../services/runtime/station.ts'
import type { Delivered, Output } from '../../topologies/node.ts'
import { connect, newTopic, readAll, until } from '../support/kafka.ts'

const letters = topics.deadLetters.name
const document = (docId: bigint): Document => ({ docId: asDocumentId(docId), text: 'text', tokens: 1, meta: '{}' })

/** Labels every document of `topic` under the actor's name. */
const labelInto = (actor: string) => (output: Output) => ({
  process: (batch: readonly Delivered[]) =>
    output
      .send(
        (batch as readonly Delivered<Document>[]).map(({ value: { docId } }) => ({
          topic: labelsTopic(actor).name,
          record: Label,
          key: `${docId}`,
          value: { docId, actor, subcategory: 0, score: 1, tokens: 1, version: 'a' } satisfies Label,
        })),
      )
      .then(() => {}),
})

async function setUp() {
  const kafka = connect()
  const codec = await createCodec({ registry: inject('registryUrl'), records: allRecords })
  const actor = `actor-${randomUUID()}`
  const input = await newTopic(kafka, { partitions: 2 })
  const forever = { cleanup: 'delete', retentionMs: -1 } as const
  await kafka.createTopics([
    { name: labelsTopic(actor).name, partitions: 2, ...forever },
    { name: letters, partitions: 1, ...forever },
  ])
  return { kafka, codec, actor, input }
}

const start = (kafka: Kafka, codec: Codec, actor: string, input: string, exclusive = false) =>
  runStation({
    station: { name: `labeler ${actor}`, reads: [input], restoreFrom: [], exclusive },
    build: labelInto(actor),
    kafka,
    codec,
    log: createLog('test', 'warn'),
    groupId: `labeler-${actor}`,
    onFailure: () => {},
  })

const labelled = async (kafka: Kafka, codec: Codec, actor: string) => {
  const values = await Promise.all(
    (await readAll(kafka, labelsTopic(actor).name)).map(({ value }) => codec.decodeAs(Label, value!)),
  )
  return values.map(({ docId }) => docId).sort((a, b) => (a < b ? -1 : 1))
}

test('poison among documents goes to dead letters, and the documents around it are processed', async () => {
  const { kafka, codec, actor, input } = await setUp()
  const producer = await kafka.producer()
  const values = [codec.encode(Document, document(1n)), Buffer.from('poison'), codec.encode(Document, document(2n))]
  await producer.send(values.map((value) => ({ topic: input, key: 'k', partition: 1, value })))
  const station = await start(kafka, codec, actor, input)
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
  const first = await start(kafka, codec, actor, input, true)
  await until(() => first.stats().read[input] === 3)
  await first.close()
  await send([4n, 5n])
  const second = await start(kafka, codec, actor, input, true)
  await until(() => second.stats().read[input] === 2)
  await second.close()
  await until(async () => (await labelled(kafka, codec, actor)).length === 5)
  expect(await labelled(kafka, codec, actor)).toEqual([1n, 2n, 3n, 4n, 5n])
})
