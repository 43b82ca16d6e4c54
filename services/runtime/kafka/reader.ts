import type { Offset, Partition } from '../../../schemas/index.ts'
import { WinnowError } from '../errors.ts'
import type { Connection } from './connection.ts'
import { traceIn } from './headers.ts'
import { type Batch, type Cluster, fetchBatch, fetchEpochEnd, fetchLogEnds, fetchTopicFacts } from './internals.ts'
import type { IncomingRecord, PartitionLog } from './port.ts'

const fetchBytesMax = 4 * 1024 * 1024

/** The first or the next offset of each partition, as a read_committed reader sees it; index = partition. */
export const offsets = (connection: Connection, topic: string, which: 'first' | 'end'): Promise<number[]> =>
  connection.onCluster(topic, `ask where topic ${topic} ends`, (cluster) => offsetsOn(cluster, topic, which))

async function offsetsOn(cluster: Cluster, topic: string, which: 'first' | 'end'): Promise<number[]> {
  const partitions = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => ({ partition: partitionId }))
  const [answer] = await cluster.fetchTopicsOffset([{ topic, partitions, fromBeginning: which === 'first' }])
  const found: number[] = []
  for (const { partition, offset } of answer?.partitions ?? []) found[partition] = Number(offset)
  return found
}

/** Where the partitions of a topic begin and end. */
export const logsOf = (connection: Connection, topic: string): Promise<PartitionLog[]> =>
  connection.onCluster(topic, `ask where topic ${topic} begins and ends`, async (cluster) => {
    // Partitions may have been added, or the topic recreated, since the last look.
    await cluster.refreshMetadata()
    const ends = await fetchLogEnds(cluster, topic)
    // Asked after the ends: no record before them is of a later leader.
    const facts = await fetchTopicFacts(cluster, topic)
    return ends.map((range, partition) => {
      const leaderEpoch = facts?.leaderEpochs[partition]
      return {
        topic,
        partition,
        topicId: facts?.id ?? null,
        ...range,
        ...(leaderEpoch !== undefined && { leaderEpoch }),
      }
    })
  })

/** The id of the current topic; null if the broker cannot tell. */
export const topicIdOf = (connection: Connection, topic: string): Promise<string | null> =>
  connection.onCluster(topic, `ask for the id of topic ${topic}`, async (cluster) => {
    return (await fetchTopicFacts(cluster, topic))?.id ?? null
  })

/** See `Kafka.epochEnd`. */
export const epochEnd = (
  connection: Connection,
  topic: string,
  partition: Partition,
  leaderEpoch: number,
): Promise<number | null> =>
  connection.onCluster(topic, `ask where an epoch of ${topic}[${partition}] ends`, (cluster) =>
    fetchEpochEnd(cluster, { topic, partition, leaderEpoch }),
  )

/**
 * All committed records of a topic from `from` up to the end as it is when reading begins, partition by partition. Joins no group and leaves
 * nothing behind; the caller may stop at any time. A partition whose `from` is at or after its end is skipped.
 * @throws WinnowError BAD_DATA if `from` is before the first record that the topic still has
 */
export async function* read(
  connection: Connection,
  topic: string,
  from: readonly number[] = [],
): AsyncGenerator<readonly IncomingRecord[]> {
  const [firsts, ends] = await Promise.all([offsets(connection, topic, 'first'), offsets(connection, topic, 'end')])
  for (const [partition, end] of ends.entries()) {
    const first = firsts[partition] ?? 0
    const start = from[partition] ?? first
    if (start < first && first > 0 && start < end) {
      throw new WinnowError('BAD_DATA', `${topic}[${partition}]@${start} is gone: the topic begins at ${first}.`, {
        hint: 'Its retention must be unlimited (retention.ms=-1) for reading again from the beginning.',
      })
    }
    yield* readPartition(connection, topic, partition, start, end)
  }
}

async function* readPartition(connection: Connection, topic: string, partition: Partition, start: number, end: number) {
  let offset = start
  while (offset < end) {
    const batch = await connection.onCluster(topic, `read ${topic}[${partition}]@${offset}`, async (cluster) => {
      const fetched = await fetchBatch(cluster, { topic, partition, offset, bytesMax: fetchBytesMax })
      // A new leader may not know yet how far the old one had got.
      if (fetched.rawMessages.length === 0 && Number(fetched.highWatermark) < end) throw new NotYet()
      return fetched
    })
    const records = recordsOf(batch, topic, partition, end)
    offset = offsetAfter(batch, offset)
    if (records.length > 0) yield records
  }
}

class NotYet extends Error {
  readonly retriable = true
}

function recordsOf(batch: Batch, topic: string, partition: Partition, end: number): IncomingRecord[] {
  const records: IncomingRecord[] = []
  for (const { offset, timestamp, key, value, headers } of batch.messages) {
    if (offset >= end) continue
    records.push({ topic, partition, offset, key, value, writtenMs: timestamp, ...traceIn(headers) })
  }
  return records
}

/**
 * Where to continue. Compaction may leave a batch without its last records, or without any, and kafkajs does not expose where a batch ends:
 * then one offset further, which the broker answers from the next record it still has.
 */
function offsetAfter(batch: Batch, offset: Offset): number {
  const last = batch.rawMessages.at(-1)
  return Math.max(offset + 1, last === undefined ? 0 : last.offset + 1)
}
