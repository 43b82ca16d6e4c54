import { createRequire } from 'node:module'
import { WinnowError } from '../errors.ts'
import type { Hole } from './port.ts'
import type { Damage, FetchedRecords } from './record-batches.ts'

interface FetchRequest {
  readonly topics: readonly {
    topic: string
    partitions: readonly { partition: number; fetchOffset: string }[]
  }[]
}

interface FetchAnswer {
  readonly responses: readonly {
    topicName: string
    partitions: readonly { partition: number; messages: FetchedRecords }[]
  }[]
}

interface Broker {
  fetch(request: FetchRequest): Promise<FetchAnswer>
}

const { prototype }: { prototype: Broker } = createRequire(import.meta.url)('kafkajs/src/broker/index.js')
const fetch = prototype.fetch

/** A read came to a batch whose bytes are not those that were written. */
export class DamagedBatch extends WinnowError {
  /** The records that cannot be read: from the one that was asked for to before the next batch. */
  readonly place: Pick<Hole, 'topic' | 'partition' | 'from' | 'to'>

  constructor(topic: string, partition: number, asked: number, { offset, offsetNext, why }: Damage) {
    super('BAD_DATA', `${topic}[${partition}]@${offset}: the batch of records that begins here is damaged: ${why}.`, {
      hint: 'The bytes in the broker\'s log are not those that were written. Another replica may have them intact (kafka-leader-election, kafka-reassign-partitions): docs/operating.md, "Damaged records".',
    })
    const from = Math.max(asked, Number(offset))
    this.place = { topic, partition, from, to: Math.max(from + 1, Number(offsetNext)) }
  }
}

/**
 * Every read of kafkajs passes through here. Records before a damaged batch are delivered; the fetch that begins at the batch fails, in
 * whichever partition it is, every time.
 */
prototype.fetch = async function (this: Broker, request: FetchRequest) {
  const answer = await fetch.call(this, request)
  for (const { topicName: topic, partitions } of answer.responses) {
    for (const { partition, messages } of partitions) {
      if (messages.origin !== undefined) Object.assign(messages.origin, { topic, partition })
      const { damage } = messages
      if (damage === undefined) continue
      const asked = request.topics.find((one) => one.topic === topic)?.partitions.find((p) => p.partition === partition)
      const from = Number(asked?.fetchOffset ?? 0)
      if (messages.some(({ offset }) => offset >= from)) continue
      throw new DamagedBatch(topic, partition, from, damage)
    }
  }
  return answer
}
