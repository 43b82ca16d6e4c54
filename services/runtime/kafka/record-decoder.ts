import { createRequire } from 'node:module'
import type { IHeaders } from 'kafkajs'
import { traceIn } from './headers.ts'
import type { IncomingRecord, TraceHeaders } from './port.ts'

/** The partition that records are of; known only after they are decoded, to who asked for them. */
export interface Origin {
  topic: string
  partition: number
}

/** What all records of a batch share, and the bytes that they are views of. */
interface BatchContext {
  readonly origin: Readonly<Origin>
  readonly producerId: string
  readonly inTransaction: boolean
  readonly isControl: boolean
  /** The epoch of the leader that wrote it (KIP-320). */
  readonly leaderEpoch: number
  /** Milliseconds since the epoch: of all its records, if the broker sets it; else what theirs add to. */
  readonly appended: number | undefined
  readonly firstTimestamp: number
  readonly bytes: Buffer
}

/**
 * A record of a fetch, as far as it is used: what kafkajs takes for its message, and what a station reads. kafkajs has offsets as strings, but
 * takes numbers too. It is small, and reads what it is asked for from the batch's bytes: a fetch has hundreds of thousands of records, and
 * what all of them hold is what the garbage collector copies.
 */
export class FetchedRecord implements IncomingRecord {
  readonly offset: number
  readonly batchContext: BatchContext
  readonly #timestampDelta: number
  /** Where the key's length is; its bytes, the value and the headers follow. */
  readonly #at: number

  constructor(batchContext: BatchContext, offset: number, timestampDelta: number, at: number) {
    this.batchContext = batchContext
    this.offset = offset
    this.#timestampDelta = timestampDelta
    this.#at = at
  }

  /** Milliseconds since the epoch. */
  get timestamp(): number {
    const { appended, firstTimestamp } = this.batchContext
    return appended ?? firstTimestamp + this.#timestampDelta
  }

  get key(): Buffer | null {
    return this.#bytes().view()
  }

  get value(): Buffer | null {
    const { valueIn } = this
    return valueIn === undefined ? null : valueIn.bytes.subarray(valueIn.from, valueIn.to)
  }

  get valueIn(): { bytes: Buffer; from: number; to: number } | undefined {
    const bytes = this.#bytes()
    bytes.skip()
    const length = bytes.number()
    const from = bytes.at
    return length < 0 ? undefined : { bytes: this.batchContext.bytes, from, to: from + length }
  }

  get headers(): IHeaders {
    const bytes = this.#bytes()
    bytes.skip()
    bytes.skip()
    return headersOf(bytes)
  }

  get topic(): string {
    return this.batchContext.origin.topic
  }

  get partition(): number {
    return this.batchContext.origin.partition
  }

  get trace(): TraceHeaders | undefined {
    return traceIn(this.headers).trace
  }

  get isControlRecord(): boolean {
    return this.batchContext.isControl
  }

  #bytes(): Bytes {
    return new Bytes(this.batchContext.bytes, this.#at)
  }
}

const { lookupCodecByAttributes }: { lookupCodecByAttributes(attributes: number): Codec | null } = createRequire(
  import.meta.url,
)('kafkajs/src/protocol/message/compression/index.js')

interface Codec {
  decompress(packed: Buffer): Promise<Buffer>
}

/** Layout of a batch in Kafka's format 2 (KIP-98), from its first byte. */
const at = {
  leaderEpoch: 12,
  attributes: 21,
  firstTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  count: 57,
  records: 61,
} as const
const flags = { appendTime: 0x8, transactional: 0x10, control: 0x20 } as const
const noHeaders: IHeaders = Object.freeze({})

/**
 * The records of one whole batch. kafkajs's own decoder makes several buffers and 64-bit objects for each record, which cost more than all that
 * a station does with it. @throws Error if the bytes are not records
 */
export async function decodeRecords(
  batch: Buffer,
  origin: Readonly<Origin> = { topic: '', partition: -1 },
): Promise<FetchedRecord[]> {
  const attributes = batch.readInt16BE(at.attributes)
  const codec = lookupCodecByAttributes(attributes)
  const packed = batch.subarray(at.records)
  const unpacked = codec === null ? packed : await codec.decompress(packed)
  const bytes = new Bytes(unpacked, 0)
  const firstOffset = Number(batch.readBigInt64BE(0))
  const batchContext = {
    origin,
    bytes: unpacked,
    isControl: (attributes & flags.control) !== 0,
    producerId: String(batch.readBigInt64BE(at.producerId)),
    leaderEpoch: batch.readInt32BE(at.leaderEpoch),
    appended: (attributes & flags.appendTime) === 0 ? undefined : Number(batch.readBigInt64BE(at.maxTimestamp)),
    firstTimestamp: Number(batch.readBigInt64BE(at.firstTimestamp)),
    inTransaction: (attributes & flags.transactional) !== 0,
  }
  const records: FetchedRecord[] = []
  for (let left = batch.readInt32BE(at.count); left > 0; left--) {
    const end = bytes.number() + bytes.at
    if (!(end <= unpacked.length)) throw new RangeError('a record is longer than its batch')
    bytes.at++ // attributes, of which none are defined
    const timestampDelta = bytes.number()
    const offset = firstOffset + bytes.number()
    const from = bytes.at
    bytes.skip()
    bytes.skip()
    headersOf(bytes)
    if (bytes.at !== end) throw new RangeError('a record does not end where its length says')
    records.push(new FetchedRecord(batchContext, offset, timestampDelta, from))
  }
  return records
}

function headersOf(bytes: Bytes): IHeaders {
  const count = bytes.number()
  if (count === 0) return noHeaders
  const headers: IHeaders = {}
  for (let left = count; left > 0; left--) {
    const name = bytes.view()?.toString() ?? ''
    const value = bytes.view() ?? undefined
    const before = headers[name]
    headers[name] =
      before === undefined
        ? value
        : Array.isArray(before)
          ? [...before, value as Buffer]
          : [before as Buffer, value as Buffer]
  }
  return headers
}

/** Reads numbers and byte strings one after the other. */
class Bytes {
  at: number
  readonly #bytes: Buffer

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.at = at
  }

  /** A signed number in zigzag base 128. */
  number(): number {
    const bytes = this.#bytes
    let byte = bytes[this.at++]!
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1)
    // Beyond 31 bits only in timestamps, which a double holds.
    let value = byte & 0x7f
    for (let scale = 0x80; byte >= 0x80; scale *= 0x80) {
      byte = bytes[this.at++]!
      value += (byte & 0x7f) * scale
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** Skips bytes after their length, which is returned; -1: null. */
  skip(): number {
    const length = this.number()
    if (length > 0) this.at += length
    if (!(this.at <= this.#bytes.length)) throw new RangeError('a key, value or header is longer than its record')
    return length
  }

  view(): Buffer | null {
    const length = this.skip()
    return length < 0 ? null : this.#bytes.subarray(this.at - length, this.at)
  }
}
