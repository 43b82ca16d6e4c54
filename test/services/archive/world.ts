import { asDocumentId, Document, Label, labelsTopic, topics } from '../../../schemas/index.ts'
import { definitionOf } from '../../../services/connections/connections.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import { fillByParity, type MemoryRuntime, memoryRuntime, parityRun, recordRun } from '../../support/memory-runtime.ts'

/** Odd documents help, more the longer they are. */
const rewardOf = (text: string): number => {
  const n = Number(text.split(' ')[1])
  return n % 2 === 0 ? -1 : 1 + n / 100
}

/** A recorded run of three rounds on Kafka in memory, whose documents and labels are in their topics too, with a label of another version beside each. */
export async function recordedRun(
  selection: object = {},
  documents = 40,
): Promise<{ runtime: MemoryRuntime; run: RunConfig }> {
  const runtime = await memoryRuntime()
  const { kafka, codec, store } = runtime
  await kafka.createTopics([definitionOf(labelsTopic('parity'), { partitions: 1, recordBytesMax: 8 * 1024 * 1024 })])
  const producer = await kafka.producer()
  for (let n = 0; n < documents; n++) {
    const docId = asDocumentId(BigInt(n))
    const document = { docId, text: `document ${n}`, tokens: 10 + n, meta: '{}' }
    const label = { docId, actor: 'parity', subcategory: n % 2, score: 1, tokens: 10 + n, version: 'v1' }
    const key = `${docId}`
    await producer.send([
      { topic: topics.documents.name, key, value: codec.encode(Document, document) },
      { topic: labelsTopic('parity').name, key, value: codec.encode(Label, label) },
    ])
  }
  await fillByParity(store, documents)
  const run = parityRun('original', selection)
  await recordRun(runtime, run, rewardOf)
  return { runtime, run }
}
