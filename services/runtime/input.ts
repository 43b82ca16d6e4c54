import { topicNamed } from '../../schemas/index.ts'
import type { Delivered } from '../../topologies/node.ts'
import { type Codec, type Decoded, DecodeError } from './codec.ts'
import type { DeadLetters, Origin } from './dead-letters.ts'
import { WinnowError } from './errors.ts'
import { failpoint } from './failpoints.ts'
import type { IncomingRecord, Kafka } from './kafka/port.ts'

/** Few enough that they are still in the processor's cache, and garbage, when the next ones are decoded. */
const pieceRecords = 1000

/** A decoded record, and what it was decoded from: a WeakMap of both would cost more than decoding. */
class DecodedRecord implements Delivered {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly record: string
  readonly value: unknown
  readonly #incoming: IncomingRecord

  constructor(incoming: IncomingRecord, record: string, value: unknown) {
    this.topic = incoming.topic
    this.partition = incoming.partition
    this.offset = incoming.offset
    this.record = record
    this.value = value
    this.#incoming = incoming
  }

  static originOf(delivered: Delivered): IncomingRecord | undefined {
    return delivered instanceof DecodedRecord ? delivered.#incoming : undefined
  }
}

/** Decodes what a station reads, and keeps the bytes of each record in case the station rejects it. */
export class StationInput {
  readonly #codec: Codec
  readonly #deadLetters: DeadLetters
  /** Names of the record types that a topic may hold; undefined: not one of winnow's topics, so any. */
  readonly #expected = new Map<string, readonly string[] | undefined>()

  constructor(codec: Codec, deadLetters: DeadLetters) {
    this.#codec = codec
    this.#deadLetters = deadLetters
  }

  /** Sends what cannot be decoded to dead letters and returns the rest. @throws WinnowError UNREACHABLE when the registry is needed and away */
  async decode(records: readonly IncomingRecord[]): Promise<Delivered[]> {
    const batch: Delivered[] = []
    for (const incoming of records) {
      try {
        const decoded = decode(this.#codec, incoming)
        // Does not await when the schema is known: an await per record would cost more than decoding it.
        const { record, value } = decoded instanceof Promise ? await decoded : decoded
        this.#check(incoming.topic, record)
        batch.push(new DecodedRecord(incoming, record, value))
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error
        this.#deadLetters.add(incoming, error.reason, error.message)
      }
    }
    return batch
  }

  /** As `decode`, a piece at a time. */
  async *pieces(records: readonly IncomingRecord[]): AsyncGenerator<Delivered[]> {
    for (let from = 0; from < records.length; from += pieceRecords) {
      const piece = await this.decode(records.slice(from, from + pieceRecords))
      failpoint('decoded')
      yield piece
    }
  }

  /** The bytes as they were read; none for a record that did not come from this input. */
  originOf(delivered: Delivered): Origin {
    const { topic, partition, offset } = delivered
    return DecodedRecord.originOf(delivered) ?? { topic, partition, offset, key: null, value: null }
  }

  /**
   * Reads a topic that holds a station's state, up to its end. Deleted keys are left out. @throws WinnowError BAD_DATA if a record cannot be
   * decoded: a station must not start from part of its state
   */
  async readAll(kafka: Kafka, topic: string): Promise<Delivered[]> {
    const all: Delivered[] = []
    for await (const records of kafka.read(topic)) {
      for (const incoming of records) {
        if (incoming.value === null) continue
        const { partition, offset } = incoming
        try {
          const { record, value } = await decode(this.#codec, incoming)
          this.#check(topic, record)
          all.push({ topic, partition, offset, record, value })
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error
          throw new WinnowError('BAD_DATA', `${topic}[${partition}]@${offset} cannot be read: ${error.message}`, {
            hint: "It is part of a station's state. Find out who wrote it; to go on without it, delete its key from the topic.",
            cause: error,
          })
        }
      }
    }
    return all
  }

  #check(topic: string, record: string): void {
    if (!this.#expected.has(topic))
      this.#expected.set(
        topic,
        topicNamed(topic)?.records.map(({ name }) => name),
      )
    const expected = this.#expected.get(topic)
    if (expected?.includes(record) === false) {
      throw new DecodeError('wrong-record', `It is a ${record}; ${topic} holds ${expected.join(' and ')}.`)
    }
  }
}

function decode(codec: Codec, incoming: IncomingRecord): Decoded | Promise<Decoded> {
  const { valueIn } = incoming
  if (valueIn !== undefined) return codec.decode(valueIn.bytes, valueIn.from, valueIn.to)
  const { value } = incoming
  if (value === null) throw new DecodeError('bad-framing', 'The record has no value.')
  return codec.decode(value)
}
