import { Kafka as KafkajsClient, logLevel } from 'kafkajs'
import { SelectionChunk } from '../../schemas/index.ts'
import type { Codec } from '../../services/runtime/codec.ts'
import { chunksPerSend, emissionLayout } from '../../topologies/console/emitting.ts'
import { splitmix64 } from '../../topologies/selection/u64.ts'

/**
 * What emissions are compared with: kafkajs writes the bytes of so many ids in the same requests and transactions. One chunk is encoded, and
 * sent again and again.
 * @param topic exists, with one partition
 * @returns seconds
 */
export async function kafkajsAlone(
  { brokers, codec }: { brokers: readonly string[]; codec: Codec },
  topic: string,
  ids: number,
): Promise<number> {
  const { chunkDocuments, partChunks } = emissionLayout
  const value = codec.encode(SelectionChunk, {
    ...{ run: 'bare', round: 0, indexFirst: 0 },
    docIds: BigUint64Array.from({ length: chunkDocuments }, (_, i) => splitmix64(BigInt(i))),
  })
  const client = new KafkajsClient({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  const producer = client.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const began = performance.now()
  for (let chunks = Math.ceil(ids / chunkDocuments); chunks > 0; chunks -= partChunks) {
    const transaction = await producer.transaction()
    for (let left = Math.min(partChunks, chunks); left > 0; left -= chunksPerSend) {
      const messages = Array.from({ length: Math.min(left, chunksPerSend) }, () => ({ key: '0', value, partition: 0 }))
      await transaction.send({ topic, messages, acks: -1 })
    }
    await transaction.commit()
  }
  const seconds = (performance.now() - began) / 1000
  await producer.disconnect()
  return seconds
}
