import { createRequire } from 'node:module'
import { DamagedBatch } from './checked-fetch.ts'

interface ConsumerGroup {
  readonly memberId: string | null
  recoverFromFetch(error: unknown): Promise<void>
  recoverFromOffsetOutOfRange(place: { topic: string; partition: number }): Promise<void>
}

interface Handler {
  outOfRange(topic: string, partition: number): Promise<void>
  damaged(batch: DamagedBatch): Promise<void>
}

const { prototype }: { prototype: ConsumerGroup } = createRequire(import.meta.url)(
  'kafkajs/src/consumer/consumerGroup.js',
)

/** By member id, which the coordinator gives to one member only. */
const handlers = new Map<string, Handler>()

/**
 * What a member does when a broker says that its offset is out of range, where kafkajs 2.2.4 would continue at the first remaining record with
 * only a line in its log; and when a batch is damaged, which would end the member.
 */
export const onHoleInLog = (memberId: string, handler: Handler): void => void handlers.set(memberId, handler)

export const forgetMember = (memberId: string): void => void handlers.delete(memberId)

prototype.recoverFromOffsetOutOfRange = async function (this: ConsumerGroup, { topic, partition }) {
  const handler = this.memberId === null ? undefined : handlers.get(this.memberId)
  if (handler === undefined) throw new Error(`no reader of ${topic}[${partition}] is known as ${this.memberId}`)
  await handler.outOfRange(topic, partition)
}

const recoverFromFetch = prototype.recoverFromFetch

prototype.recoverFromFetch = async function (this: ConsumerGroup, error) {
  const handler = this.memberId === null ? undefined : handlers.get(this.memberId)
  if (handler !== undefined && error instanceof DamagedBatch) await handler.damaged(error)
  else await recoverFromFetch.call(this, error)
}
