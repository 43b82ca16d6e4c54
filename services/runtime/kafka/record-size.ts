import { gzipSync } from 'node:zlib'
import type { OutgoingRecord } from './port.ts'

/** The broker's default `message.max.bytes`: the limit for a record batch, which holds at least one record. */
export const messageBytesDefault = 1_048_588
/** Header size of a record batch in Kafka's format 2. */
export const batchHeaderBytes = 61
/** A record's own lengths, offsets and attributes in format 2 are varints: at most this many bytes. */
export const recordHeaderBytes = 27

/** How much key and value fit into a batch of this many bytes. */
const roomIn = (messageBytesMax: number): number => messageBytesMax - batchHeaderBytes - recordHeaderBytes

/** The limit for key and value together in a topic with the broker's default. */
export const maxRecordBytes = roomIn(messageBytesDefault)

/** Length of key and value, to which limits apply. */
export const recordBytes = (record: OutgoingRecord): number =>
  (record.key === null ? 0 : Buffer.byteLength(record.key)) + (record.value?.byteLength ?? 0)

/** Names, values and lengths of the trace headers. */
export const traceBytes = ({ trace }: OutgoingRecord): number =>
  trace === undefined ? 0 : 32 + trace.traceparent.length + Buffer.byteLength(trace.tracestate ?? '')

/** Whether the record fits with its trace headers. */
export const fitsWithTrace = (record: OutgoingRecord): boolean =>
  recordBytes(record) + traceBytes(record) <= maxRecordBytes

/** How a record is written: as it is, compressed, or not at all. */
export type Packing = 'plain' | 'gzip' | 'too-large'

/** Key, headers, and the margin by which a client's gzip may be longer than this one. */
const packedSlack = 1024

/** A long value is checked when its document is made and again when it is sent. */
const packedBytes = new WeakMap<Uint8Array, number>()

/** @param messageBytesMax `max.message.bytes` of the topic: the broker applies it to the batch as sent, so after compression */
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
