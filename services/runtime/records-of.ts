import type { Delivered } from '../../topologies/node.ts'
import { type Codec, readable } from './codec.ts'
import type { Kafka } from './kafka/port.ts'

/**
 * The records of a topic up to its current end, decoded, partition by partition. Invalid records are skipped; the stations send them to dead
 * letters. `from`: the next offset of each partition, which moves on as records are read.
 */
export async function* recordsOf(
  { kafka, codec }: { readonly kafka: Pick<Kafka, 'read'>; readonly codec: Codec },
  topic: string,
  from: number[] = [],
): AsyncGenerator<Delivered> {
  for await (const records of kafka.read(topic, from)) {
    for (const { partition, offset, value: bytes } of records) {
      from[partition] = offset + 1
      if (bytes === null) continue
      const decoded = await readable(() => codec.decode(bytes))
      if (decoded !== undefined) yield { topic, partition, offset, ...decoded }
    }
  }
}
