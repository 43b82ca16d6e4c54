import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { SelectionChunk } from '../../schemas/index.ts'
import type { Codec } from '../../services/runtime/codec.ts'
import { chunksPerSend, emissionLayout } from '../../topologies/console/emitting.ts'
import { splitmix64 } from '../../topologies/selection/u64.ts'

const child = fileURLToPath(new URL('kafkajs-alone-child.ts', import.meta.url))

/**
 * What emissions are compared with: kafkajs, as npm has it and in a process of its own, writes as many bytes in the same requests and
 * transactions, with the same acknowledgements and without compression, as winnow does. One chunk of random ids is encoded, and sent again and again.
 * @param topic exists, with one partition
 * @returns seconds
 */
export function kafkajsAlone(
  { brokers, codec }: { brokers: readonly string[]; codec: Codec },
  topic: string,
  ids: number,
): number {
  const { chunkDocuments, partChunks } = emissionLayout
  const value = codec.encode(SelectionChunk, {
    ...{ run: 'bare', round: 0, indexFirst: 0 },
    docIds: BigUint64Array.from({ length: chunkDocuments }, (_, i) => splitmix64(BigInt(i))),
  })
  const work = { brokers, topic, chunks: Math.ceil(ids / chunkDocuments), partChunks, chunksPerSend }
  const input = JSON.stringify({ ...work, value: value.toString('base64') })
  return Number(execFileSync(process.execPath, [child], { input, encoding: 'utf8' }))
}
