import { randomUUID } from 'node:crypto'
import { asDocumentId, type Document, Label, labelsTopic, topics } from '../../schemas/index.ts'
import type { Codec } from '../../services/runtime/codec.ts'
import type { Kafka } from '../../services/runtime/kafka/port.ts'
import { createLog } from '../../services/runtime/log.ts'
import { runStation } from '../../services/runtime/station.ts'
import type { Delivered, Output } from '../../topologies/node.ts'
import { newTopic, readAll } from './kafka.ts'

export const letters = topics.deadLetters.name
export const document = (docId: bigint): Document => ({
  docId: asDocumentId(docId),
  text: 'text',
  tokens: 1,
  meta: '{}',
})

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

/** Topics of its own for a labeler. */
export async function setUpLabeler(kafka: Kafka) {
  const actor = `actor-${randomUUID()}`
  const input = await newTopic(kafka, { partitions: 2 })
  const forever = { cleanup: 'delete', retentionMs: -1 } as const
  await kafka.createTopics([
    { name: labelsTopic(actor).name, partitions: 2, ...forever },
    { name: letters, partitions: 1, ...forever },
  ])
  return { actor, input }
}

export const startLabeler = (kafka: Kafka, codec: Codec, actor: string, input: string, exclusive = false) =>
  runStation({
    station: { name: `labeler ${actor}`, reads: [input], restoreFrom: [], exclusive },
    build: labelInto(actor),
    kafka,
    codec,
    log: createLog('test', 'warn'),
    groupId: `labeler-${actor}`,
    onFailure: () => {},
  })

export const labelled = async (kafka: Kafka, codec: Codec, actor: string) => {
  const values = await Promise.all(
    (await readAll(kafka, labelsTopic(actor).name)).map(({ value }) => codec.decodeAs(Label, value!)),
  )
  return values.map(({ docId }) => docId).sort((a, b) => (a < b ? -1 : 1))
}
