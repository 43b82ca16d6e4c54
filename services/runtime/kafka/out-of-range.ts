import { createRequire } from 'node:module'

interface ConsumerGroup {
  readonly memberId: string | null
  recoverFromOffsetOutOfRange(place: { topic: string; partition: number }): Promise<void>
}

type Handler = (topic: string, partition: number) => Promise<void>

const { prototype }: { prototype: ConsumerGroup } = createRequire(import.meta.url)(
  'kafkajs/src/consumer/consumerGroup.js',
)

/** By member id, which the coordinator gives to one member only. */
const handlers = new Map<string, Handler>()

/**
 * What a member does when a broker says that its offset is out of range. kafkajs 2.2.4 would continue at the first remaining record, with only
 * a line in its log.
 */
export const onOffsetOutOfRange = (memberId: string, handler: Handler): void => void handlers.set(memberId, handler)

export const forgetMember = (memberId: string): void => void handlers.delete(memberId)

prototype.recoverFromOffsetOutOfRange = async function (this: ConsumerGroup, { topic, partition }) {
  const handler = this.memberId === null ? undefined : handlers.get(this.memberId)
  if (handler === undefined) throw new Error(`no reader of ${topic}[${partition}] is known as ${this.memberId}`)
  await handler(topic, partition)
}
