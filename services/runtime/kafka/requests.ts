import { type Message, Partitioners, type PartitionMetadata } from 'kafkajs'
import { topicNamed } from '../../../schemas/index.ts'
import { WinnowError } from '../errors.ts'
import { addPartitions } from './alter.ts'
import { type Connection, learnPartitions } from './connection.ts'
import { headersOf } from './headers.ts'
import type { OutgoingRecord } from './port.ts'
import { maxRecordBytes, recordBytes } from './record-size.ts'
import { type Piece, split } from './split.ts'
import { messageBytesMaxOf } from './topic-limits.ts'

export interface TopicMessages {
  readonly topic: string
  readonly messages: Message[]
}

/**
 * Splits records into produce requests, one per partition leader. kafkajs counts responses per broker: if one leader died after another had
 * responded, it would report records as sent that were not, or send acknowledged ones again.
 */
export class Requests {
  readonly #connection: Connection
  readonly #knownTopics = new Set<string>()
  /** max.message.bytes of the topics that a long record was sent to; each is looked up once. */
  readonly #messageBytesMax = new Map<string, number>()
  readonly #byKey = Partitioners.DefaultPartitioner()
  #leadersMoved = false

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** To be called after a failure: the cached leaders may be out of date. */
  leadersMoved(): void {
    this.#leadersMoved = true
  }

  /** Fails at once for a topic that does not exist; kafkajs would retry for half a minute. */
  async learn(records: readonly OutgoingRecord[]): Promise<void> {
    for (const { topic } of records) {
      if (this.#knownTopics.has(topic)) continue
      await this.#connection.onCluster(topic, `write to topic ${topic}`, async () => {})
      this.#knownTopics.add(topic)
    }
    for (const record of records) {
      const { topic } = record
      if (recordBytes(record) <= maxRecordBytes || this.#messageBytesMax.has(topic)) continue
      this.#messageBytesMax.set(topic, await messageBytesMaxOf(this.#connection, topic))
    }
  }

  /** Splits records into pieces that a broker accepts. @throws WinnowError BAD_DATA for a record that is too long for its topic */
  pieces(records: readonly OutgoingRecord[]): Piece[] {
    return split(records, this.#messageBytesMax)
  }

  async of(records: readonly OutgoingRecord[]): Promise<TopicMessages[][]> {
    const requests = new Map<number, Map<string, Message[]>>()
    for (const [topic, ofTopic] of Map.groupBy(records, (record) => record.topic)) {
      const named = Math.max(-1, ...ofTopic.map(({ partition }) => partition ?? -1))
      const partitionMetadata = await this.#partitionsOf(topic, named)
      const forKeys = this.#partitionsForKeys(topic, partitionMetadata)
      const leaders = new Map(partitionMetadata.map(({ partitionId, leader }) => [partitionId, leader]))
      for (const record of ofTopic) {
        const message = toMessage(record)
        message.partition ??= this.#byKey({ topic, partitionMetadata: forKeys, message })
        const leader = leaders.get(message.partition)
        if (leader === undefined) throw noSuchPartition(topic, message.partition, leaders.size)
        const request = requests.get(leader) ?? new Map<string, Message[]>()
        requests.set(leader, request)
        const messages = request.get(topic) ?? []
        request.set(topic, messages)
        messages.push(message)
      }
    }
    return [...requests.values()].map((request) => [...request].map(([topic, messages]) => ({ topic, messages })))
  }

  /** @param named the highest partition that a record names, or -1 */
  async #partitionsOf(topic: string, named: number): Promise<PartitionMetadata[]> {
    return await this.#connection.onCluster(topic, `write to topic ${topic}`, async (cluster) => {
      // A partition may have been added since.
      if (this.#leadersMoved || named >= cluster.findTopicPartitionMetadata(topic).length) {
        await cluster.refreshMetadata()
        await learnPartitions(cluster, topic)
      }
      this.#leadersMoved = false
      return cluster.findTopicPartitionMetadata(topic) as PartitionMetadata[]
    })
  }

  /**
   * Where winnow or a run sets a topic's partition count, a key keeps its partition even if somebody adds partitions: order and compaction
   * hold only within one. In topics of the corpus, records go to every partition.
   */
  #partitionsForKeys(topic: string, all: PartitionMetadata[]): PartitionMetadata[] {
    const set = topicNamed(topic)?.partitions
    const count = set === 'run' ? this.#connection.partitionsWanted.get(topic) : set
    return typeof count === 'number' ? all.filter(({ partitionId }) => partitionId < count) : all
  }
}

const noSuchPartition = (topic: string, partition: number, count: number): WinnowError =>
  new WinnowError(
    'CONFIGURATION',
    `${topic} has ${count} partitions, and a record is for its partition ${partition}.`,
    {
      hint: `Topics of the corpus have the same number of partitions: ${addPartitions(topic, partition + 1)}`,
    },
  )

const toMessage = (record: OutgoingRecord): Message => {
  const { key, value, partition } = record
  return {
    key,
    value: value === null ? null : Buffer.from(value.buffer, value.byteOffset, value.byteLength),
    ...headersOf(record),
    ...(partition !== undefined && { partition }),
  }
}
