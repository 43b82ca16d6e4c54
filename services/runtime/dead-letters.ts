import { DeadLetter, topics } from '../../schemas/index.ts'
import type { Codec } from './codec.ts'
import type { IncomingRecord, OutgoingRecord } from './kafka/port.ts'
import { maxRecordBytes } from './kafka/record-size.ts'
import type { KafkaOutput } from './output.ts'

/** Leaves room for the other fields in a record that the broker accepts. What is cut is still at the record's origin. */
export const valueBytesKept = maxRecordBytes - 64 * 1024
export const keyBytesKept = 16 * 1024
const messageCharactersKept = 2000

/** Where a rejected record was read; key and value unchanged. */
export type Origin = Pick<IncomingRecord, 'topic' | 'partition' | 'offset'> & {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
}

/** The rejected records of the current batch. They are written before the batch's offsets are committed, or the station stops. */
export class DeadLetters {
  /** Written so far. */
  sent = 0
  readonly #station: string
  readonly #codec: Codec
  readonly #output: KafkaOutput
  #waiting: OutgoingRecord[] = []

  constructor(station: string, codec: Codec, output: KafkaOutput) {
    this.#station = station
    this.#codec = codec
    this.#output = output
  }

  add(origin: Origin, reason: string, message: string): void {
    const place = `${origin.topic}[${origin.partition}]@${origin.offset}`
    const cut = origin.value !== null && origin.value.length > valueBytesKept
    const kept = cut ? ` (The first ${valueBytesKept} of ${origin.value.length} bytes are kept here.)` : ''
    const value: DeadLetter = {
      station: this.#station,
      reason,
      message: `${place}: ${message.slice(0, messageCharactersKept)}${kept}`,
      origin: place,
      topic: origin.topic,
      partition: origin.partition,
      offset: origin.offset,
      file: null,
      line: null,
      key: origin.key === null ? null : origin.key.subarray(0, keyBytesKept),
      value: origin.value === null ? null : origin.value.subarray(0, valueBytesKept),
    }
    this.#waiting.push({ topic: topics.deadLetters.name, key: place, value: this.#codec.encode(DeadLetter, value) })
  }

  /** Drops what was added since the last send. */
  clear(): void {
    this.#waiting = []
  }

  /** Resolves when all replicas have acknowledged them. */
  async send(): Promise<void> {
    if (this.#waiting.length === 0) return
    const letters = this.#waiting
    await this.#output.sendRaw(letters)
    this.#waiting = []
    this.sent += letters.length
  }
}
