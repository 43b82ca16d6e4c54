import { gzipSync } from 'node:zlib'
import type { OutgoingRecord } from './port.ts'

/** The broker's default `message.max.bytes`: no record batch may be larger, and one record is a batch at least. */
export const messageBytesDefault = 1_048_588
/** Header of a record batch in Kafka's format 2. */
export const batchHeaderBytes = 61
/** A record's own lengths, offsets and attributes in format 2 are varints: at most so many bytes. */
export const recordHeaderBytes = 27

/** Key and value together that a batch of so many bytes has room for. */
const roomIn = (messageBytesMax: number): number => messageBytesMax - batchHeaderBytes - recordHeaderBytes

/** Key and value together may not be longer than this where a topic has the broker's default. */
export const maxRecordBytes = roomIn(messageBytesDefault)

/** Length of key and value, what limits are about. */
export const recordBytes = (record: OutgoingRecord): number =>
  (record.key === null ? 0 : Buffer.byteLength(record.key)) + (record.value?.byteLength ?? 0)

/** Names, values and lengths of the trace headers. */
export const traceBytes = ({ trace }: OutgoingRecord): number =>
  trace === undefined ? 0 : 32 + trace.traceparent.length + Buffer.byteLength(trace.tracestate ?? '')

/** Whether a broker takes the record with its trace headers. */
export const fitsWithTrace = (record: OutgoingRecord): boolean =>
  recordBytes(record) + traceBytes(record) <= maxRecordBytes

/** How a record goes into a topic: as it is, compressed, or not at all. */
export type Packing = 'plain' | 'gzip' | 'too-large'

/** Key, headers, and what a client's gzip may be longer by than this one. */
const packedSlack = 1024

/** A long value is asked about when its document is made and again when it is sent. */
const packedBytes = new WeakMap<Uint8Array, number>()

/** @param messageBytesMax `max.message.bytes` of the topic: the broker asks it of the batch as it is sent, so of a compressed one compressed */
export function packingOf(record: OutgoingRecord, messageBytesMax: number): Packing {
  if (recordBytes(record) <= roomIn(messageBytesMax)) return 'plain'
  const { key, value } = record
  if (value === null) return 'too-large'
  let packed = packedBytes.get(value)
  if (packed === undefined) {
    packed = gzipSync(value).length
    packedBytes.set(value, packed)
  }
  const length = packed + (key === null ? 0 : Buffer.byteLength(key)) + packedSlack
  return length <= roomIn(messageBytesMax) ? 'gzip' : 'too-large'
}
