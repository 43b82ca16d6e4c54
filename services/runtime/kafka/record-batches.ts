import { createRequire } from 'node:module'
import { crc32c } from '@node-rs/crc32'
import { decodeRecords, type FetchedRecord, type Origin } from './record-decoder.ts'

/** The first batch of a fetch that cannot be read, and why. */
export interface Damage {
  /** The offset of the batch's first record, according to its header. */
  readonly offset: string
  /** Where the next batch begins, as far as that can be known. */
  readonly offsetNext: string
  readonly why: string
}

/** The records before the first damaged batch of a fetch, and that batch. */
export type FetchedRecords = FetchedRecord[] & { damage?: Damage; origin?: Origin }

/** kafkajs's decoder, which reads on from its position. */
interface Decoder {
  readInt32(): number
  canReadBytes(bytes: number): boolean
  readBytes(bytes: number): Buffer
}

const require = createRequire(import.meta.url)

/** Layout of a batch header in Kafka's format 2. The checksum covers everything from the attributes on. */
const header = {
  length: 8,
  magic: 16,
  checksum: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  count: 57,
  bytes: 61,
} as const
/** Base offset and length, which the length field does not count. */
const prefixBytes = 12
const magicKnown = 2

/**
 * The records of one partition in a fetch response, each batch after its CRC-32C has been verified. A broker sends whole batches; only the last may
 * be cut off (KIP-74).
 */
export async function decodeBatches(bytes: Buffer): Promise<FetchedRecords> {
  const records: FetchedRecords = []
  const origin: Origin = { topic: '', partition: -1 }
  records.origin = origin
  for (let at = 0; at + header.magic < bytes.length; ) {
    const batch = bytes.subarray(at, at + prefixBytes + bytes.readInt32BE(at + header.length))
    const cutOff = at + prefixBytes + bytes.readInt32BE(at + header.length) > bytes.length
    if (cutOff && at > 0) break
    const why = cutOff ? 'it is cut off' : await decodeInto(records, batch, origin)
    if (why !== undefined) {
      const offset = bytes.readBigInt64BE(at)
      records.damage = {
        offset: String(offset),
        offsetNext: String(behind(offset, batch, bytes.subarray(at + batch.length))),
        why,
      }
      break
    }
    at += batch.length
  }
  return records
}

/**
 * Where reading could continue after a damaged batch: at the next batch, if that is whole; else after as many records as the header says
 * in two places; else at the next offset, so that no good record is skipped.
 */
function behind(offset: bigint, batch: Buffer, rest: Buffer): bigint {
  const next = rest.length < header.bytes ? rest : rest.subarray(0, prefixBytes + rest.readInt32BE(header.length))
  if (isWhole(next) && next.readBigInt64BE(0) > offset) return next.readBigInt64BE(0)
  if (batch.length < header.bytes) return offset + 1n
  const count = batch.readInt32BE(header.lastOffsetDelta) + 1
  return count > 0 && count === batch.readInt32BE(header.count) ? offset + BigInt(count) : offset + 1n
}

const isWhole = (batch: Buffer): boolean =>
  batch.length >= header.bytes &&
  batch.length === prefixBytes + batch.readInt32BE(header.length) &&
  batch.readInt8(header.magic) === magicKnown &&
  batch.readUInt32BE(header.checksum) === crc32c(batch.subarray(header.attributes))

/** @returns what is wrong with the batch; then none of it is decoded */
async function decodeInto(records: FetchedRecord[], batch: Buffer, origin: Origin): Promise<string | undefined> {
  if (batch.length < header.bytes) return 'its length is less than that of a header'
  const magic = batch.readInt8(header.magic)
  if (magic !== magicKnown) return `it is in format ${magic} of Kafka's records, not in ${magicKnown}`
  const stored = batch.readUInt32BE(header.checksum)
  const computed = crc32c(batch.subarray(header.attributes))
  if (stored !== computed) return `its checksum is ${hex(computed)}, not ${hex(stored)} as its header says`
  try {
    // Not spread into push: a batch may have more records than a call may have arguments.
    for (const record of await decodeRecords(batch, origin)) records.push(record)
    return undefined
  } catch (error) {
    return `it cannot be unpacked (${(error as Error).message})`
  }
}

const hex = (checksum: number): string => `0x${checksum.toString(16).padStart(8, '0')}`

/** Replaces kafkajs 2.2.4's decoder for format 2, which does not verify checksums, and is slow. */
async function decodeMessages(decoder: Decoder): Promise<FetchedRecords> {
  const length = decoder.readInt32()
  return length <= 0 || !decoder.canReadBytes(length) ? [] : await decodeBatches(decoder.readBytes(length))
}

const path = require.resolve('kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js')
// kafkajs loads it on the first response, so it picks up this one.
if (require.cache[path] !== undefined)
  throw new TypeError('kafkajs has read records before their checksums were looked at')
require(path)
require.cache[path]!.exports = decodeMessages
