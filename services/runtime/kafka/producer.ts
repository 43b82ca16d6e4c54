import {
  CompressionTypes,
  type ICustomPartitioner,
  type Producer as KafkajsProducer,
  type Message,
  Partitioners,
  type Transaction,
} from 'kafkajs'
import { WinnowError } from '../errors.ts'
import { type Connection, produceRetry } from './connection.ts'
import { fencedError, isFenced, toWinnowError } from './failure.ts'
import type { OutgoingRecord, Producer, SentRange } from './port.ts'
import { sentRanges, split } from './split.ts'

/** A broker gives a transaction up after this long; its producer is then told the same as one that was replaced. */
const transactionTimeoutMs = 60_000

/**
 * kafkajs chooses the partition again at every retry; for a record without a key that is another one, and the broker, which knows the
 * sequence number already, would take the moved record for a repeat and drop it. So the first choice stays.
 */
const decidedOnce: ICustomPartitioner = () => {
  const byKey = Partitioners.DefaultPartitioner()
  return (input) => {
    input.message.partition ??= byKey(input)
    return input.message.partition
  }
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
  let current: KafkajsProducer | undefined
  let dead: WinnowError | undefined
  let tail: Promise<unknown> = Promise.resolve()

  /** One thing at a time: order is kept, and a transaction is never shared. */
  const exclusively = <T>(work: () => Promise<T>): Promise<T> => {
    const result = tail.then(work)
    tail = result.catch(() => {})
    return result
  }

  const connected = async (): Promise<KafkajsProducer> => {
    if (dead !== undefined) throw dead
    if (current !== undefined) return current
    const producer = patientClient.producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      maxInFlightRequests: 1,
      createPartitioner: decidedOnce,
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
  }

  const send = async (sender: Sender, records: readonly OutgoingRecord[]): Promise<SentRange[]> => {
    const ranges: SentRange[] = []
    for (const piece of split(records)) {
      const byTopic = Map.groupBy(piece, ({ topic }) => topic)
      const topicMessages = [...byTopic].map(([topic, ofTopic]) => ({ topic, messages: ofTopic.map(toMessage) }))
      const answers = await sender.sendBatch({ acks: -1, compression, topicMessages })
      sentRanges(topicMessages, answers, ranges)
    }
    return ranges
  }

  const transaction = async <T>(
    work: (send: (records: readonly OutgoingRecord[]) => Promise<SentRange[]>) => Promise<T>,
  ): Promise<T> => {
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
        split(records)
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
      exclusively(async () => {
        if (records.length === 0) return []
        await learn(records)
        split(records)
        const producer = await connected()
        try {
          return await send(producer, records)
        } catch (error) {
          throw discard(error, describe(records))
        }
      }),
    transaction: (work) => exclusively(() => transaction(work)),
    close: () =>
      exclusively(async () => {
        dead ??= new WinnowError('UNEXPECTED', 'The producer is closed.')
        await current?.disconnect()
        current = undefined
      }),
  }
}

const describe = (records: readonly OutgoingRecord[]) =>
  `write to topic ${[...new Set(records.map(({ topic }) => topic))].join(', ')}`

const toMessage = ({ key, value, partition }: OutgoingRecord): Message => ({
  key,
  value: value === null ? null : Buffer.from(value.buffer, value.byteOffset, value.byteLength),
  ...(partition !== undefined && { partition }),
})
