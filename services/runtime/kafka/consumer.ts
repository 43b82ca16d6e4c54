import kafkajs, { type EachBatchPayload, type KafkaMessage, type RetryOptions } from 'kafkajs'
import { failpoint } from '../failpoints.ts'
import { committedPlaces, metadataOf } from './admin.ts'
import type { Connection } from './connection.ts'
import { toWinnowError } from './failure.ts'
import { traceIn } from './headers.ts'
import { forgetMember, onOffsetOutOfRange } from './out-of-range.ts'
import type { ConsumeOptions, Consumer } from './port.ts'
import { type Held, Positions } from './positions.ts'
import { logsOf, topicIdOf } from './reader.ts'

/** A member that was killed is missed after this long, and its partitions go to others. */
export const sessionTimeoutMs = 10_000
const heartbeatMs = 2_000
/** How long a member may take to finish its batch before a rebalance goes on without it. */
export const rebalanceTimeoutMs = 60_000
/** How long a fetch waits for records; `close` waits for the fetch. */
const fetchWaitMs = 200
const partitionBytesMax = 1024 * 1024
/** How often it is asked whether a topic was made again: a broker does not say so by itself. */
const lookAgainMs = 10_000

const retry: RetryOptions = { initialRetryTime: 50, factor: 0.2, multiplier: 2, maxRetryTime: 2000, retries: 10 }

/**
 * A member of a consumer group. One batch at a time over all its partitions; the offset after a batch is committed when `onBatch` has
 * resolved, so a batch may come twice (after a kill, or a rebalance in the middle of it) and never not at all.
 * While the broker is away kafkajs tries again for as long as it takes.
 */
export async function createConsumer(connection: Connection, options: ConsumeOptions): Promise<Consumer> {
  const { client } = connection
  let closing = false
  const consumer = client.consumer({
    groupId: options.groupId,
    sessionTimeout: sessionTimeoutMs,
    heartbeatInterval: heartbeatMs,
    rebalanceTimeout: rebalanceTimeoutMs,
    maxWaitTimeInMs: fetchWaitMs,
    maxBytesPerPartition: options.batchBytesMax ?? partitionBytesMax,
    allowAutoTopicCreation: false,
    // kafkajs would restart a consumer that is closed while it waits to join, and keep the process alive.
    retry: { ...retry, restartOnFailure: async () => !closing },
  })
  let batchFailure: { error: unknown } | undefined
  let reported = false
  const report = (error: unknown) => {
    if (reported) return
    reported = true
    options.onFailure(toWinnowError(error, `read ${options.topics.join(', ')}`, connection.options.brokers))
  }

  const fail = (error: unknown) => {
    batchFailure ??= { error }
    report(error)
    void consumer.stop().catch(() => {})
  }
  const positions = new Positions(options, {
    logsOf: (topic) => logsOf(connection, topic),
    topicIdOf: (topic) => topicIdOf(connection, topic),
    committedPlaces: (topic) => committedPlaces(connection, options.groupId, topic),
    seek: (topic, partition, offset) => consumer.seek({ topic, partition, offset: String(offset) }),
    pause: (topic, partition) => consumer.pause([{ topic, partitions: [partition] }]),
    resume: (topic, partition) => consumer.resume([{ topic, partitions: [partition] }]),
    // Should it fail, the next batch commits.
    commit: (held) => void consumer.commitOffsets([{ topic: held.topic, ...committed(held) }]).catch(() => {}),
    fail,
  })

  const eachBatch = async (payload: EachBatchPayload) => {
    const { batch, heartbeat } = payload
    const { topic, partition } = batch
    const held = positions.of(topic, partition)
    // To settle, and a batch, may take longer than the session; that the group has rebalanced meanwhile is found out by the commit.
    const beat = setInterval(() => void heartbeat().catch(() => {}), heartbeatMs)
    try {
      await held?.settled.promise
      await readBatch(payload, held)
    } finally {
      clearInterval(beat)
    }
  }

  const readBatch = async (payload: EachBatchPayload, held: Held | undefined) => {
    const { batch, resolveOffset, isRunning, isStale } = payload
    const { topic, partition } = batch
    const current = held?.place !== undefined && positions.of(topic, partition) === held && !held.waiting
    if (!current || batchFailure !== undefined || !isRunning() || isStale()) return
    const { messages, last } = upToGap(batch as FetchedBatch, options.isKeptWhole?.(topic) === true)
    if (positions.skips(held, Number(batch.firstOffset()))) return
    const records = messages.map(({ offset, key, value, headers }) => ({
      topic,
      partition,
      offset: Number(offset),
      key,
      value,
      ...traceIn(headers),
    }))
    try {
      if (records.length > 0) await options.onBatch(records)
    } catch (error) {
      batchFailure = { error }
      // Anything else kafkajs would try again by itself. Without a cause: a retriable one would make it restart.
      throw new kafkajs.KafkaJSNonRetriableError('onBatch failed')
    }
    // Given to another member meanwhile, which begins where the group's offset is.
    if (positions.of(topic, partition) === undefined) return
    resolveOffset(String(last))
    const lastRecord = records.at(-1)
    positions.advance(held, last + 1, lastRecord && lastRecord.offset + 1)
    await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions: [committed(held)] }] })
  }

  let memberId = ''
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    forgetMember(memberId)
    memberId = payload.memberId
    onOffsetOutOfRange(memberId, (topic, partition) => positions.outOfRange(topic, partition))
    positions.join(payload.memberAssignment)
  })
  // A batch of markers alone is passed by kafkajs and told here.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { topic, partition, batchSize, lastOffset } }) => {
    const held = positions.of(topic, partition)
    if (batchSize > 0 || held?.place === undefined || held.waiting || closing) return
    positions.advance(held, Number(lastOffset) + 1)
    void consumer.commitOffsets([{ topic, ...committed(held) }]).catch(() => {})
  })
  const looking = setInterval(() => void positions.lookAgain().catch(() => {}), lookAgainMs).unref()
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart && !closing) report(batchFailure?.error ?? payload.error)
  })
  consumer.on(consumer.events.COMMIT_OFFSETS, () => failpoint('committed offsets'))

  await connection
    .attempt(`read ${options.topics.join(', ')}`, async () => {
      await consumer.connect()
      await consumer.subscribe({ topics: [...options.topics], fromBeginning: true })
      await consumer.run({
        eachBatch,
        eachBatchAutoResolve: false,
        // Ours carry the topic's id, and none is written for a place that was only sought.
        autoCommit: false,
        partitionsConsumedConcurrently: 1,
      })
    })
    .catch(async (error) => {
      clearInterval(looking)
      await consumer.disconnect().catch(() => {})
      throw error
    })

  return {
    close: async () => {
      closing = true
      clearInterval(looking)
      positions.close()
      await consumer.disconnect()
      forgetMember(memberId)
      if (batchFailure !== undefined) report(batchFailure.error)
      reported = true
    },
  }
}

/** A partition's place as a group's offset. */
const committed = ({ partition, place }: Held) => ({
  partition,
  offset: String(place?.offset),
  metadata: place === undefined ? null : metadataOf(place),
})

/** A batch as kafkajs has it, with the markers and aborted records that it gives to nobody. */
type FetchedBatch = EachBatchPayload['batch'] & { readonly rawMessages: readonly { offset: string }[] }

/** What stands before the first missing offset, of a topic that keeps every record; of any other all of it. */
function upToGap(batch: FetchedBatch, keptWhole: boolean): { messages: KafkaMessage[]; last: number } {
  const { messages, rawMessages } = batch
  const gap = keptWhole
    ? rawMessages.findIndex(({ offset }, i) => i > 0 && Number(offset) > Number(rawMessages[i - 1]!.offset) + 1)
    : -1
  if (gap < 0 || rawMessages[gap]!.offset === batch.firstOffset()) return { messages, last: Number(batch.lastOffset()) }
  const last = Number(rawMessages[gap - 1]!.offset)
  return { messages: messages.filter(({ offset }) => Number(offset) <= last), last }
}
