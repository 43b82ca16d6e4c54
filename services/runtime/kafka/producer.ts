import { CompressionTypes, type Producer as KafkajsProducer, type Transaction } from 'kafkajs'
import type { RecordMetadata } from '../../../topologies/node.ts'
import { Exclusive } from '../exclusive.ts'
import './native-checksum.ts'
import type { Connection } from './connection.ts'
import type { OutgoingRecord, Producer } from './port.ts'
import { ProducerSession } from './producer-session.ts'
import { Requests } from './requests.ts'
import { sentRanges } from './split.ts'

/**
 * How long a leader may wait for its replicas before it reports a timeout. kafkajs then retries, and the broker recognizes the record by its
 * sequence number. With kafkajs's default of 30 s, retrying a write that is bound to fail would take ten minutes.
 */
const replicationTimeoutMs = 3_000

type Sender = Pick<KafkajsProducer | Transaction, 'sendBatch'>

/**
 * An idempotent producer; with a transactional id, also transactions, which fence older producers with that id.
 * After any failure the next send creates a new kafkajs producer.
 */
export async function createProducer(connection: Connection, transactionalId?: string): Promise<Producer> {
  const compression = connection.options.compression === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None
  const requests = new Requests(connection)
  const session = new ProducerSession(connection, transactionalId, () => requests.leadersMoved())
  /** Keeps order, and transactions apart. */
  const exclusive = new Exclusive()

  const send = async (sender: Sender, records: readonly OutgoingRecord[]): Promise<readonly RecordMetadata[]> => {
    const ranges: RecordMetadata[] = []
    for (const { records: piece, compressed } of requests.pieces(records)) {
      const batches = await requests.of(piece)
      const pieceCompression = compressed ? CompressionTypes.GZIP : compression
      const answers = await Promise.allSettled(
        batches.map((topicMessages) =>
          sender.sendBatch({ acks: -1, timeout: replicationTimeoutMs, compression: pieceCompression, topicMessages }),
        ),
      )
      for (const [i, answer] of answers.entries()) {
        if (answer.status === 'rejected') throw answer.reason
        sentRanges(batches[i]!, answer.value, ranges)
      }
    }
    return ranges
  }

  const sendOrDiscard = (sender: Sender, records: readonly OutgoingRecord[]): Promise<readonly RecordMetadata[]> =>
    send(sender, records).catch((error) => {
      throw session.discard(error, describe(records))
    })

  /** Rejects what cannot be sent before anything is sent, so only this caller fails. */
  const check = async (records: readonly OutgoingRecord[]): Promise<void> => {
    await requests.learn(records)
    requests.pieces(records)
  }

  const transaction = async <T>(work: (send: Producer['send']) => Promise<T>): Promise<T> => {
    if (transactionalId === undefined) throw new TypeError('A producer without a transactional id has no transactions')
    const producer = await session.connected()
    const open = await producer.transaction().catch((error) => {
      throw session.discard(error, 'begin a transaction')
    })
    // A caller that swallows a failed send must not commit the rest.
    let sendFailure: unknown
    try {
      const result = await work(async (records) => {
        await check(records)
        return await sendOrDiscard(open, records).catch((error) => {
          sendFailure = error
          throw error
        })
      })
      if (sendFailure !== undefined) throw sendFailure
      await open.commit().catch((error) => {
        throw session.discard(error, 'commit a transaction')
      })
      return result
    } catch (error) {
      // After a failed send or commit, the next producer's start makes the broker abort or finish this transaction.
      if (session.isCurrent(producer))
        await open.abort().catch((abortError) => session.discard(abortError, 'abort a transaction'))
      throw error
    }
  }

  // Fails fast where there is no broker at all.
  await connection.admin()
  await session.connected()
  return {
    send: (records) =>
      exclusive.run(async () => {
        if (records.length === 0) return []
        await check(records)
        return await sendOrDiscard(await session.connected(), records)
      }),
    transaction: (work) => exclusive.run(() => transaction(work)),
    close: () => exclusive.run(() => session.close()),
  }
}

const describe = (records: readonly OutgoingRecord[]) =>
  `write to topic ${[...new Set(records.map(({ topic }) => topic))].join(', ')}`
