import kafkajs, { type EachBatchPayload, type RetryOptions } from 'kafkajs'
import { WinnowError } from '../errors.ts'
import { failpoint } from '../failpoints.ts'
import { committedPlaces, metadataOf } from './admin.ts'
import type { Connection } from './connection.ts'
import { toWinnowError } from './failure.ts'
import { forgetMember, onHoleInLog } from './out-of-range.ts'
import type { ConsumeOptions, Consumer } from './port.ts'
import { type Held, Positions } from './positions.ts'
import { epochEnd, logsOf, topicIdOf } from './reader.ts'
import type { FetchedRecord } from './record-decoder.ts'

/** A killed member is noticed after this long, and its partitions are reassigned. */
export const sessionTimeoutMs = 10_000
const heartbeatMs = 2_000
/** How long a member may take to finish its batch before a rebalance completes without it. */
export const rebalanceTimeoutMs = 60_000
/** How long a fetch waits for records; `close` waits for the fetch. */
const fetchWaitMs = 200
const partitionBytesMax = 1024 * 1024
/** How often to check whether a topic was recreated: a broker does not report it. */
const lookAgainMs = 10_000

const retry: RetryOptions = { initialRetryTime: 50, factor: 0.2, multiplier: 2, maxRetryTime: 2000, retries: 10 }

/**
 * A member of a consumer group. Processes one batch at a time over all its partitions and commits the offset after it once `onBatch` has
 * resolved: delivery is at least once (repeated after a kill, or a rebalance in the middle of a batch). While the broker is away kafkajs
 * retries for as long as it takes.
 */
export async function createConsumer(connection: Connection, options: ConsumeOptions): Promise<Consumer> {
  const client = connection.consumerClient()
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
    epochEnd: (topic, partition, leaderEpoch) => epochEnd(connection, topic, partition, leaderEpoch),
    seek: (topic, partition, offset) => consumer.seek({ topic, partition, offset: String(offset) }),
    pause: (topic, partition) => consumer.pause([{ topic, partitions: [partition] }]),
    resume: (topic, partition) => consumer.resume([{ topic, partitions: [partition] }]),
    // If it fails, the next batch commits.
    commit: (held) => void consumer.commitOffsets([{ topic: held.topic, ...committed(held) }]).catch(() => {}),
    fail,
  })

  const eachBatch = async (payload: EachBatchPayload) => {
    const { batch, heartbeat } = payload
    const { topic, partition } = batch
    const held = positions.of(topic, partition)
    // Settling, and a batch, may take longer than the session; the commit then fails if the group has rebalanced.
    const beat = setInterval(() => void heartbeat().catch(() => {}), heartbeatMs)
    try {
      await held?.settled.promise
      await readBatch(payload, held)
    } finally {
      clearInterval(beat)
    }
  }

  /** See `Positions.follows`; while it cannot be known, nothing is delivered and the records are fetched again. */
  const follows = async (held: Held, epochs: { first: number; last: number }): Promise<boolean> => {
    try {
      return await positions.follows(held, epochs)
    } catch (error) {
      if (!(error instanceof WinnowError && error.retriable)) fail(error)
      return false
    }
  }

  const readBatch = async (payload: EachBatchPayload, held: Held | undefined) => {
    const { batch, resolveOffset, isRunning, isStale } = payload
    const { topic, partition } = batch
    const current = held?.place !== undefined && positions.of(topic, partition) === held && !held.waiting
    if (!current || batchFailure !== undefined || !isRunning() || isStale()) return
    const { records, last } = upToGap(batch as unknown as FetchedBatch, options.isKeptWhole?.(topic) === true)
    if (positions.skips(held, Number(batch.firstOffset()))) return
    const [firstMessage, lastMessage] = [records[0], records.at(-1)]
    if (firstMessage && lastMessage) {
      const epochs = { first: epochOf(firstMessage), last: epochOf(lastMessage) }
      if (!(await follows(held, epochs))) return
    }
    try {
      if (records.length > 0) await options.onBatch(records)
    } catch (error) {
      batchFailure = { error }
      // kafkajs retries anything else. No cause: a retriable one would make it restart.
      throw new kafkajs.KafkaJSNonRetriableError('onBatch failed')
    }
    // Reassigned meanwhile to another member, which starts at the group's offset.
    if (positions.of(topic, partition) === undefined) return
    resolveOffset(String(last))
    positions.advance(
      held,
      last + 1,
      lastMessage && { afterRecord: Number(lastMessage.offset) + 1, leaderEpoch: epochOf(lastMessage) },
    )
    await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions: [committed(held)] }] })
  }

  let memberId = ''
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    forgetMember(memberId)
    memberId = payload.memberId
    onHoleInLog(memberId, positions)
    positions.join(payload.memberAssignment)
  })
  // kafkajs skips a batch of markers alone; it is handled here.
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
        // Our commits carry the topic's id, and none is made for a position that was only sought.
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

/** A partition's position as the group's offset. */
const committed = ({ partition, place }: Held) => ({
  partition,
  offset: String(place?.offset),
  metadata: place === undefined ? null : metadataOf(place),
})

/** A batch as kafkajs has it, with the markers and aborted records that it does not deliver. Its records are winnow's (record-batches.ts). */
type FetchedBatch = Omit<EachBatchPayload['batch'], 'messages'> & {
  readonly messages: readonly FetchedRecord[]
  readonly rawMessages: readonly FetchedRecord[]
}

/** The epoch of the leader that wrote a record (KIP-320), from the header of its batch. */
const epochOf = ({ batchContext }: FetchedRecord): number => batchContext.leaderEpoch

/** For a topic that keeps every record, what precedes the first missing offset; for any other, all of it. */
function upToGap(batch: FetchedBatch, keptWhole: boolean): { records: readonly FetchedRecord[]; last: number } {
  const { messages, rawMessages } = batch
  const gap = keptWhole
    ? rawMessages.findIndex(({ offset }, i) => i > 0 && offset > rawMessages[i - 1]!.offset + 1)
    : -1
  if (gap < 0 || rawMessages[gap]!.offset === Number(batch.firstOffset()))
    return { records: messages, last: Number(batch.lastOffset()) }
  const last = rawMessages[gap - 1]!.offset
  return { records: messages.filter(({ offset }) => offset <= last), last }
}
