import type { ICustomPartitioner, Producer as KafkajsProducer } from 'kafkajs'
import { WinnowError } from '../errors.ts'
import { type Connection, produceRetry } from './connection.ts'
import { fencedError, isFenced, toWinnowError } from './failure.ts'

/** The broker aborts a transaction after this long; its producer then gets the same error as one that was fenced. */
export const transactionTimeoutMs = 60_000

/**
 * The partition is chosen beforehand. kafkajs would choose again on every retry, so a record without a key could move to another partition,
 * where the broker, which has seen its sequence number, would drop it as a duplicate.
 */
const chosenBefore: ICustomPartitioner = () => (input) => input.message.partition!

/**
 * The kafkajs producer in use, replaced after any failure. A failure leaves unknown what the broker has stored (a timeout does not say), and
 * kafkajs would reuse the failed records' sequence numbers, so the broker would drop the next records as duplicates.
 */
export class ProducerSession {
  readonly #connection: Connection
  readonly #transactionalId: string | undefined
  readonly #onFailure: () => void
  #current: KafkajsProducer | undefined
  #dead: WinnowError | undefined

  /** @param onFailure called on every failure, after which leaders may have changed */
  constructor(connection: Connection, transactionalId: string | undefined, onFailure: () => void) {
    this.#connection = connection
    this.#transactionalId = transactionalId
    this.#onFailure = onFailure
  }

  /** @throws WinnowError if this producer was fenced or closed */
  async connected(): Promise<KafkajsProducer> {
    if (this.#dead !== undefined) throw this.#dead
    if (this.#current !== undefined) return this.#current
    const transactionalId = this.#transactionalId
    const producer = this.#connection.patientClient.producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      maxInFlightRequests: 1,
      createPartitioner: chosenBefore,
      retry: produceRetry,
      ...(transactionalId !== undefined && { transactionalId, transactionTimeout: transactionTimeoutMs }),
    })
    this.#current = producer
    try {
      await producer.connect()
      // kafkajs asks for the transactional id's next epoch, which fences older producers, only when a transaction begins.
      if (transactionalId !== undefined) await (await producer.transaction()).abort()
    } catch (error) {
      throw this.discard(error, 'connect a producer')
    }
    return producer
  }

  /** Whether `producer` is still in use, so has not failed. */
  isCurrent(producer: KafkajsProducer): boolean {
    return this.#current === producer
  }

  /** Drops the producer in use. @returns the error to throw */
  discard(error: unknown, doing: string): WinnowError {
    this.#current?.disconnect().catch(() => {})
    this.#current = undefined
    this.#onFailure()
    if (this.#transactionalId !== undefined && isFenced(error)) this.#dead = fencedError(this.#transactionalId, error)
    return this.#dead ?? toWinnowError(error, doing, this.#connection.options.brokers)
  }

  async close(): Promise<void> {
    this.#dead ??= new WinnowError('UNEXPECTED', 'The producer is closed.')
    await this.#current?.disconnect()
    this.#current = undefined
  }
}
