import { createRequire } from 'node:module'
import type { Kafka as KafkajsClient } from 'kafkajs'
import { askEpochEnd } from './leader-epochs.ts'
import type { FetchedRecord } from './record-decoder.ts'
import { askTopics, type RequestBroker, type TopicFacts } from './topic-ids.ts'

const KafkajsBatch: new (topic: string, offset: string, data: PartitionData) => Batch = createRequire(import.meta.url)(
  'kafkajs/src/consumer/batch.js',
)

/**
 * The only place that uses kafkajs's internals. Its public interface reads topics only as a consumer group: it cannot read at an offset
 * without joining, nor find a topic's end as a read_committed reader sees it. Its cluster and batch classes do both. kafkajs is pinned to an
 * exact version; test/integration/kafka-read.test.ts fails if these parts are not as described here.
 */
export interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addMultipleTargetTopics(topics: string[]): Promise<void>
  refreshMetadata(): Promise<void>
  findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number }[]
  findBroker(node: { nodeId: number }): Promise<Broker>
  fetchTopicsOffset(
    topics: { topic: string; partitions: { partition: number }[]; fromBeginning: boolean }[],
  ): Promise<{ topic: string; partitions: { partition: number; offset: string }[] }[]>
}

interface Broker extends RequestBroker {
  listOffsets(request: {
    replicaId: number
    isolationLevel: number
    topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[]
  }): Promise<{ responses: { topic: string; partitions: { partition: number; offset: string }[] }[] }>
  fetch(request: {
    isolationLevel: number
    maxWaitTime: number
    minBytes: number
    maxBytes: number
    topics: { topic: string; partitions: { partition: number; fetchOffset: string; maxBytes: number }[] }[]
  }): Promise<{ responses: { topicName: string; partitions: PartitionData[] }[] }>
}

interface PartitionData {
  readonly partition: number
}

/** One fetch of one partition. */
export interface Batch {
  /** Records of committed transactions or of none, at or after the requested offset. */
  readonly messages: readonly FetchedRecord[]
  /** All that was fetched, with markers, aborted records and, from a compressed batch, records before the requested offset. */
  readonly rawMessages: readonly FetchedRecord[]
  readonly highWatermark: string
}

const readCommitted = 1
const readUncommitted = 0

/** The log's ends, as the ListOffsets request names them. */
const firstTimestamp = -2
const endTimestamp = -1

/** The three offsets of each partition, asked of its leader; index = partition. */
export async function fetchLogEnds(
  cluster: Cluster,
  topic: string,
): Promise<{ first: number; stable: number; end: number }[]> {
  const ask = async (leader: number, ids: readonly number[], isolationLevel: number, timestamp: number) => {
    const broker = await cluster.findBroker({ nodeId: leader })
    const partitions = ids.map((partition) => ({ partition, timestamp }))
    const { responses } = await broker.listOffsets({ replicaId: -1, isolationLevel, topics: [{ topic, partitions }] })
    return new Map(responses[0]?.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
  }
  const found: { first: number; stable: number; end: number }[] = []
  const byLeader = Map.groupBy(cluster.findTopicPartitionMetadata(topic), ({ leader }) => leader)
  for (const [leader, partitions] of byLeader) {
    const ids = partitions.map(({ partitionId }) => partitionId)
    // In this order, so that a log that moves meanwhile does not appear to end before it begins.
    const first = await ask(leader, ids, readCommitted, firstTimestamp)
    const stable = await ask(leader, ids, readCommitted, endTimestamp)
    const end = await ask(leader, ids, readUncommitted, endTimestamp)
    for (const id of ids) found[id] = { first: first.get(id)!, stable: stable.get(id)!, end: end.get(id)! }
  }
  return found
}

/** See `askTopics`; any broker can answer. Undefined: it is too old. */
export async function fetchTopicFacts(cluster: Cluster, topic: string): Promise<TopicFacts | undefined> {
  const leader = cluster.findTopicPartitionMetadata(topic)[0]?.leader ?? -1
  return (await askTopics(await cluster.findBroker({ nodeId: leader }), [topic])).get(topic)
}

/** See `askEpochEnd`; the partition's leader answers. */
export async function fetchEpochEnd(
  cluster: Cluster,
  place: { topic: string; partition: number; leaderEpoch: number },
): Promise<number | null> {
  const leader =
    cluster.findTopicPartitionMetadata(place.topic).find(({ partitionId }) => partitionId === place.partition)
      ?.leader ?? -1
  return await askEpochEnd(await cluster.findBroker({ nodeId: leader }), place)
}

/** @returns an unconnected cluster with the client's brokers, security and logger */
export function createCluster(client: KafkajsClient): Cluster {
  const symbol = Object.getOwnPropertySymbols(client).find((own) => own.description === 'private:Kafka:createCluster')
  const create = symbol && (client as unknown as Record<symbol, (options: object) => Cluster>)[symbol]
  if (create === undefined) throw new TypeError('This version of kafkajs has no createCluster')
  return create({ allowAutoTopicCreation: false, isolationLevel: readCommitted, metadataMaxAge: 300_000 })
}

/** Fetches up to `bytesMax` of a partition from `offset`; empty if there is nothing (yet). */
export async function fetchBatch(
  cluster: Cluster,
  { topic, partition, offset, bytesMax }: { topic: string; partition: number; offset: number; bytesMax: number },
): Promise<Batch> {
  const leader =
    cluster.findTopicPartitionMetadata(topic).find((found) => found.partitionId === partition)?.leader ?? -1
  const broker = await cluster.findBroker({ nodeId: leader })
  const { responses } = await broker.fetch({
    isolationLevel: readCommitted,
    maxWaitTime: 100,
    minBytes: 1,
    maxBytes: bytesMax,
    topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes: bytesMax }] }],
  })
  const data = responses[0]?.partitions[0]
  if (data === undefined) throw new TypeError(`The broker's answer has nothing of ${topic}[${partition}]`)
  return new KafkajsBatch(topic, String(offset), data)
}
