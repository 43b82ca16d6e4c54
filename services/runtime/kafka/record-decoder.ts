import { createRequire } from 'node:module'
import type { IHeaders } from 'kafkajs'

/** What all records of a batch share, and the bytes that they are views of. */
interface BatchContext {
  readonly producerId: string
  readonly inTransaction: boolean
  readonly isControl: boolean
  /** The epoch of the leader that wrote it (KIP-320). */
  readonly leaderEpoch: number
  readonly bytes: Buffer
}

/** Where bytes are in a batch; a length of -1: null. */
interface Range {
  readonly at: number
  readonly length: number
}

/**
 * A record of a fetch, as far as it is used. kafkajs has offsets as strings, but takes numbers too. Key and value are made
 * when they are asked for: a buffer costs more than the rest of a record, and most keys are never looked at.
 */
export class FetchedRecord {
  readonly offset: number
  /** Milliseconds since the epoch. */
  readonly timestamp: number
  readonly headers: IHeaders
  readonly batchContext: BatchContext
  readonly #keyAt: number
  readonly #keyLength: number
  readonly #valueAt: number
  readonly #valueLength: number

  constructor(
    batchContext: BatchContext,
    offset: number,
    timestamp: number,
    key: Range,
    value: Range,
    headers: IHeaders,
  ) {
    this.batchContext = batchContext
    this.offset = offset
    this.timestamp = timestamp
    this.headers = headers
    this.#keyAt = key.at
    this.#keyLength = key.length
    this.#valueAt = value.at
    this.#valueLength = value.length
  }

  get key(): Buffer | null {
    return viewOf(this.batchContext.bytes, this.#keyAt, this.#keyLength)
  }

  get value(): Buffer | null {
    return viewOf(this.batchContext.bytes, this.#valueAt, this.#valueLength)
  }

  get isControlRecord(): boolean {
    return this.batchContext.isControl
  }
}

const viewOf = (bytes: Buffer, at: number, length: number): Buffer | null =>
  length < 0 ? null : bytes.subarray(at, at + length)

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
export async function decodeRecords(batch: Buffer): Promise<FetchedRecord[]> {
  const attributes = batch.readInt16BE(at.attributes)
  const codec = lookupCodecByAttributes(attributes)
  const packed = batch.subarray(at.records)
  const unpacked = codec === null ? packed : await codec.decompress(packed)
  const bytes = new Bytes(unpacked)
  const firstOffset = Number(batch.readBigInt64BE(0))
  const firstTimestamp = Number(batch.readBigInt64BE(at.firstTimestamp))
  const appended = (attributes & flags.appendTime) === 0 ? undefined : Number(batch.readBigInt64BE(at.maxTimestamp))
  const batchContext = {
    bytes: unpacked,
    isControl: (attributes & flags.control) !== 0,
    producerId: String(batch.readBigInt64BE(at.producerId)),
    leaderEpoch: batch.readInt32BE(at.leaderEpoch),
    inTransaction: (attributes & flags.transactional) !== 0,
  }
  const records: FetchedRecord[] = []
  for (let left = batch.readInt32BE(at.count); left > 0; left--) {
    const end = bytes.number() + bytes.at
    if (!(end <= unpacked.length)) throw new RangeError('a record is longer than its batch')
    bytes.at++ // attributes, of which none are defined
    const timestamp = appended ?? firstTimestamp + bytes.number()
    if (appended !== undefined) bytes.number()
    const offset = firstOffset + bytes.number()
    const key = bytes.range()
    const value = bytes.range()
    const headers = bytes.at < end ? headersOf(bytes) : noHeaders
    if (bytes.at !== end) throw new RangeError('a record does not end where its length says')
    records.push(new FetchedRecord(batchContext, offset, timestamp, key, value, headers))
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
  at = 0
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
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

  /** Bytes after their length. */
  range(): Range {
    const length = this.number()
    const { at } = this
    if (length > 0) this.at += length
    if (!(this.at <= this.#bytes.length)) throw new RangeError('a key, value or header is longer than its record')
    return { at, length }
  }

  view(): Buffer | null {
    const { at, length } = this.range()
    return viewOf(this.#bytes, at, length)
  }
}
