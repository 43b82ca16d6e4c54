import {
  CompressionTypes,
  type ICustomPartitioner,
  type Producer as KafkajsProducer,
  type Message,
  Partitioners,
  type PartitionMetadata,
  type Transaction,
} from 'kafkajs'
import { topicNamed } from '../../../schemas/index.ts'
import type { RecordMetadata } from '../../../topologies/node.ts'
import { WinnowError } from '../errors.ts'
import { Exclusive } from '../exclusive.ts'
import { addPartitions } from './alter.ts'
import { type Connection, produceRetry } from './connection.ts'
import { fencedError, isFenced, toWinnowError } from './failure.ts'
import { headersOf } from './headers.ts'
import type { OutgoingRecord, Producer } from './port.ts'
import { maxRecordBytes, recordBytes } from './record-size.ts'
import { sentRanges, split } from './split.ts'
import { messageBytesMaxOf } from './topic-limits.ts'

/** A broker gives a transaction up after this long; its producer is then told the same as one that was replaced. */
export const transactionTimeoutMs = 60_000

/**
 * How long a leader may wait for its replicas before it says that it could not. kafkajs then asks again, and the broker knows the record by its
 * sequence number; with kafkajs's own 30 s the retries of a write that must be refused would take ten minutes.
 */
const replicationTimeoutMs = 3_000

/**
 * The partition is chosen before: kafkajs chooses again at every retry, which is another one for a record without a key, and the broker,
 * which knows the sequence number already, would take the moved record for a repeat and drop it.
 */
const chosenBefore: ICustomPartitioner = () => (input) => input.message.partition!

interface TopicMessages {
  readonly topic: string
  readonly messages: Message[]
}

type Sender = Pick<KafkajsProducer | Transaction, 'sendBatch'>

/**
 * An idempotent producer; with a transactional id, also transactions, and older producers with that id are fenced from now on.
 * Whatever fails here leaves unknown what the broker has (a timeout does not say), and kafkajs would use the sequence numbers of the failed
 * records again, so that the broker drops the next ones as repeats: after any failure the next send makes a new kafkajs producer.
 */
export async function createProducer(connection: Connection, transactionalId?: string): Promise<Producer> {
  const { patientClient, options } = connection
  const compression = options.compression === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None
  const knownTopics = new Set<string>()
  /** Of topics that a long record was sent to: what they take, asked once. */
  const messageBytesMax = new Map<string, number>()
  let current: KafkajsProducer | undefined
  let dead: WinnowError | undefined
  /** After a failure the leaders that are known may be those of before. */
  let leadersMoved = false
  /** Order is kept, and a transaction is never shared. */
  const exclusive = new Exclusive()

  const connected = async (): Promise<KafkajsProducer> => {
    if (dead !== undefined) throw dead
    if (current !== undefined) return current
    const producer = patientClient.producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      maxInFlightRequests: 1,
      createPartitioner: chosenBefore,
      retry: produceRetry,
      ...(transactionalId !== undefined && { transactionalId, transactionTimeout: transactionTimeoutMs }),
    })
    current = producer
    try {
      await producer.connect()
      // kafkajs asks for the transactional id's next epoch, which fences older producers, only when a transaction begins.
      if (transactionalId !== undefined) await (await producer.transaction()).abort()
    } catch (error) {
      throw discard(error, 'connect a producer')
    }
    return producer
  }

  const discard = (error: unknown, doing: string): WinnowError => {
    current?.disconnect().catch(() => {})
    current = undefined
    leadersMoved = true
    if (transactionalId !== undefined && isFenced(error)) dead = fencedError(transactionalId, error)
    return dead ?? toWinnowError(error, doing, options.brokers)
  }

  /** Fails at once for a topic that does not exist; kafkajs would go on asking for half a minute. */
  const learn = async (records: readonly OutgoingRecord[]): Promise<void> => {
    for (const { topic } of records) {
      if (knownTopics.has(topic)) continue
      await connection.onCluster(topic, `write to topic ${topic}`, async () => {})
      knownTopics.add(topic)
    }
    for (const record of records) {
      const { topic } = record
      if (recordBytes(record) <= maxRecordBytes || messageBytesMax.has(topic)) continue
      messageBytesMax.set(topic, await messageBytesMaxOf(connection, topic))
    }
  }

  const byKey = Partitioners.DefaultPartitioner()

  /**
   * Messages by the broker that leads their partitions, a request each. kafkajs counts answers by broker: where a leader dies while
   * another has answered, it would send to that one nothing more and call all of it sent, or send again what was answered.
   */
  const requestsOf = async (records: readonly OutgoingRecord[]): Promise<TopicMessages[][]> => {
    const requests = new Map<number, Map<string, Message[]>>()
    for (const [topic, ofTopic] of Map.groupBy(records, (record) => record.topic)) {
      const partitionMetadata = await connection.onCluster(topic, `write to topic ${topic}`, async (cluster) => {
        const named = Math.max(-1, ...ofTopic.map(({ partition }) => partition ?? -1))
        // A partition may have been added since.
        if (leadersMoved || named >= cluster.findTopicPartitionMetadata(topic).length) await cluster.refreshMetadata()
        leadersMoved = false
        const found = cluster.findTopicPartitionMetadata(topic)
        // Just created, and its leaders are not chosen yet.
        if (found.length === 0) throw Object.assign(new Error(`${topic} has no partitions yet`), { retriable: true })
        return found
      })
      const leaders = new Map(partitionMetadata.map(({ partitionId, leader }) => [partitionId, leader]))
      const forKeys = partitionsForKeys(topic, partitionMetadata as PartitionMetadata[])
      for (const record of ofTopic) {
        const message = toMessage(record)
        message.partition ??= byKey({ topic, partitionMetadata: forKeys, message })
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

  const send = async (sender: Sender, records: readonly OutgoingRecord[]): Promise<readonly RecordMetadata[]> => {
    const ranges: RecordMetadata[] = []
    for (const { records: piece, compressed } of split(records, messageBytesMax)) {
      const requests = await requestsOf(piece)
      const pieceCompression = compressed ? CompressionTypes.GZIP : compression
      const answers = await Promise.allSettled(
        requests.map((topicMessages) =>
          sender.sendBatch({ acks: -1, timeout: replicationTimeoutMs, compression: pieceCompression, topicMessages }),
        ),
      )
      for (const [i, answer] of answers.entries()) {
        if (answer.status === 'rejected') throw answer.reason
        sentRanges(requests[i]!, answer.value, ranges)
      }
    }
    return ranges
  }

  const transaction = async <T>(work: (send: Producer['send']) => Promise<T>): Promise<T> => {
    if (transactionalId === undefined) throw new TypeError('A producer without a transactional id has no transactions')
    const producer = await connected()
    let sendFailure: WinnowError | undefined
    let open: Transaction
    try {
      open = await producer.transaction()
    } catch (error) {
      throw discard(error, 'begin a transaction')
    }
    try {
      const result = await work(async (records) => {
        await learn(records)
        split(records, messageBytesMax)
        try {
          return await send(open, records)
        } catch (error) {
          sendFailure = discard(error, describe(records))
          throw sendFailure
        }
      })
      if (sendFailure === undefined) {
        await open.commit().catch((error) => {
          throw discard(error, 'commit a transaction')
        })
        return result
      }
    } catch (error) {
      // The new producer that follows a failed send or commit makes the broker abort or finish this transaction.
      if (current === producer) await open.abort().catch((abortError) => discard(abortError, 'abort a transaction'))
      throw error
    }
    throw sendFailure
  }

  // Fails soon where there is no broker at all.
  await connection.admin()
  await connected()
  return {
    send: (records) =>
      exclusive.run(async () => {
        if (records.length === 0) return []
        await learn(records)
        split(records, messageBytesMax)
        const producer = await connected()
        try {
          return await send(producer, records)
        } catch (error) {
          throw discard(error, describe(records))
        }
      }),
    transaction: (work) => exclusive.run(() => transaction(work)),
    close: () =>
      exclusive.run(async () => {
        dead ??= new WinnowError('UNEXPECTED', 'The producer is closed.')
        await current?.disconnect()
        current = undefined
      }),
  }
}

/**
 * A topic whose number of partitions winnow has set keeps its keys where they are should somebody add partitions: what is read in order, or
 * compacted by key, is so within a partition alone. In topics of the corpus every partition takes part.
 */
function partitionsForKeys(topic: string, all: PartitionMetadata[]): PartitionMetadata[] {
  const count = topicNamed(topic)?.partitions
  return typeof count === 'number' ? all.filter(({ partitionId }) => partitionId < count) : all
}

const noSuchPartition = (topic: string, partition: number, count: number): WinnowError =>
  new WinnowError(
    'CONFIGURATION',
    `${topic} has ${count} partitions, and a record is for its partition ${partition}.`,
    {
      hint: `Topics of the corpus have the same number of partitions: ${addPartitions(topic, partition + 1)}`,
    },
  )

const describe = (records: readonly OutgoingRecord[]) =>
  `write to topic ${[...new Set(records.map(({ topic }) => topic))].join(', ')}`

const toMessage = (record: OutgoingRecord): Message => {
  const { key, value, partition } = record
  return {
    key,
    value: value === null ? null : Buffer.from(value.buffer, value.byteOffset, value.byteLength),
    ...headersOf(record),
    ...(partition !== undefined && { partition }),
  }
}
