import kafkajs, { type EachBatchPayload, type RetryOptions } from 'kafkajs'
import { failpoint } from '../failpoints.ts'
import type { Connection } from './connection.ts'
import { toWinnowError } from './failure.ts'
import { traceIn } from './headers.ts'
import type { ConsumeOptions, Consumer } from './port.ts'

/** A member that was killed is missed after this long, and its partitions go to others. */
export const sessionTimeoutMs = 10_000
const heartbeatMs = 2_000
/** How long a member may take to finish its batch before a rebalance goes on without it. */
export const rebalanceTimeoutMs = 60_000
/** How long a fetch waits for records; `close` waits for the fetch. */
const fetchWaitMs = 200
const partitionBytesMax = 1024 * 1024

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

  const eachBatch = async ({ batch, resolveOffset, heartbeat, isRunning, isStale }: EachBatchPayload) => {
    if (!isRunning() || isStale()) return
    const { topic, partition } = batch
    const from = await skipped(topic, partition, Number(batch.firstOffset()))
    if (from !== undefined) return consumer.seek({ topic, partition, offset: String(from) })
    const records = batch.messages.map(({ offset, key, value, headers }) => ({
      topic,
      partition,
      offset: Number(offset),
      key,
      value,
      ...traceIn(headers),
    }))
    // A batch may take longer than the session; that the group has rebalanced meanwhile is found out by the commit.
    const beat = setInterval(() => void heartbeat().catch(() => {}), heartbeatMs)
    try {
      await options.onBatch(records)
    } catch (error) {
      batchFailure = { error }
      // Anything else kafkajs would try again by itself. Without a cause: a retriable one would make it restart.
      throw new kafkajs.KafkaJSNonRetriableError('onBatch failed')
    } finally {
      clearInterval(beat)
    }
    resolveOffset(batch.lastOffset())
  }

  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart && !closing) report(batchFailure?.error ?? payload.error)
  })
  consumer.on(consumer.events.COMMIT_OFFSETS, () => failpoint('committed offsets'))
  seekAtJoin(consumer, options.startOffset)
  const skipped = skippedOffsets(consumer, options.floorOffset)

  await connection
    .attempt(`read ${options.topics.join(', ')}`, async () => {
      await consumer.connect()
      await consumer.subscribe({ topics: [...options.topics], fromBeginning: true })
      // autoCommit commits what is resolved after each batch, and what a filtered batch (markers only) passed.
      await consumer.run({
        eachBatch,
        eachBatchAutoResolve: false,
        autoCommit: true,
        partitionsConsumedConcurrently: 1,
      })
    })
    .catch(async (error) => {
      await consumer.disconnect().catch(() => {})
      throw error
    })

  return {
    close: async () => {
      closing = true
      await consumer.disconnect()
      if (batchFailure !== undefined) report(batchFailure.error)
      reported = true
    },
  }
}

type KafkajsConsumer = ReturnType<Connection['client']['consumer']>

/**
 * Asks `startOffset` for every partition that this member did not hold before; one that it keeps through a rebalance goes on from the
 * committed offset. kafkajs lets a consumer seek from the moment it has joined, before its first fetch.
 */
function seekAtJoin(consumer: KafkajsConsumer, startOffset: ConsumeOptions['startOffset']): void {
  if (startOffset === undefined) return
  let held = new Set<string>()
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    const given = new Set<string>()
    for (const [topic, partitions] of Object.entries(payload.memberAssignment)) {
      for (const partition of partitions) {
        given.add(`${topic}[${partition}]`)
        if (held.has(`${topic}[${partition}]`)) continue
        const offset = startOffset(topic, partition)
        if (offset !== undefined) consumer.seek({ topic, partition, offset: String(offset) })
      }
    }
    held = given
  })
}

/** For the first batch of a partition that was given to this member: where to begin instead, if what lies before it is not all done. */
function skippedOffsets(consumer: KafkajsConsumer, floorOffset: ConsumeOptions['floorOffset']) {
  let asked = new Set<string>()
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    const given = Object.entries(payload.memberAssignment).flatMap(([topic, partitions]) =>
      partitions.map((partition) => `${topic}[${partition}]`),
    )
    asked = new Set(given.filter((place) => asked.has(place)))
  })
  return async (topic: string, partition: number, first: number): Promise<number | undefined> => {
    if (floorOffset === undefined || asked.has(`${topic}[${partition}]`)) return undefined
    const done = await floorOffset(topic, partition)
    asked.add(`${topic}[${partition}]`)
    return done < first ? done : undefined
  }
}
