import type { RecordMetadata } from '../../../topologies/node.ts'
import { WinnowError } from '../errors.ts'
import type { OutgoingRecord } from './port.ts'

/** The broker's default `message.max.bytes`: no record batch may be larger, and one record is a batch at least. */
const batchBytesMax = 1_048_588
/** Header of a record batch in Kafka's format 2. */
const batchHeaderBytes = 61
/** A record's own lengths, offsets and attributes in format 2 are varints: at most so many bytes. */
const recordHeaderBytes = 27
/** kafkajs copies a partition's list once a record, so its time grows with the square of this. */
const batchRecordsMax = 2000

/** Key and value together may not be longer than this. */
export const maxRecordBytes = batchBytesMax - batchHeaderBytes - recordHeaderBytes

/** Length of key and value, what `maxRecordBytes` limits. */
export const recordBytes = (record: OutgoingRecord): number =>
  (record.key === null ? 0 : Buffer.byteLength(record.key)) + (record.value?.byteLength ?? 0)

/** Names, values and lengths of the trace headers. */
const traceBytes = ({ trace }: OutgoingRecord): number =>
  trace === undefined ? 0 : 32 + trace.traceparent.length + Buffer.byteLength(trace.tracestate ?? '')

/** Whether a broker takes the record with its trace headers. */
export const fitsWithTrace = (record: OutgoingRecord): boolean =>
  recordBytes(record) + traceBytes(record) <= maxRecordBytes

/**
 * Cuts records, in order, into pieces that a broker takes in one request: kafkajs sends as it is told, and is refused over 1 MB.
 * @throws WinnowError BAD_DATA for a record that is too large by itself; nothing was sent then.
 */
export function split(records: readonly OutgoingRecord[]): OutgoingRecord[][] {
  const pieces: OutgoingRecord[][] = []
  let piece: OutgoingRecord[] = []
  let pieceBytes = 0
  for (const record of records) {
    const bytes = recordBytes(record)
    if (bytes > maxRecordBytes) throw tooLarge(record, bytes)
    const bytesWithHeader = bytes + recordHeaderBytes + (fitsWithTrace(record) ? traceBytes(record) : 0)
    if (pieceBytes + bytesWithHeader > batchBytesMax - batchHeaderBytes || piece.length === batchRecordsMax) {
      pieces.push(piece)
      piece = []
      pieceBytes = 0
    }
    piece.push(record)
    pieceBytes += bytesWithHeader
  }
  if (piece.length > 0) pieces.push(piece)
  return pieces
}

function tooLarge(record: OutgoingRecord, bytes: number): WinnowError {
  const key = record.key === null ? 'without a key' : `with key "${record.key.slice(0, 100)}"`
  return new WinnowError(
    'BAD_DATA',
    `A record ${key} for topic ${record.topic} has ${bytes} bytes; a broker takes at most ${maxRecordBytes}.`,
    { hint: 'Split the document, or leave it out of the source.' },
  )
}

/**
 * Where the records of one request landed, appended to `ranges`; a range that goes on where the last one of its partition ended is joined
 * to it. `sent` are the messages with the partition that was chosen, `answers` is what the broker said: one base offset a partition.
 * @throws Error where a partition has no answer, or two: then it is not known what the broker has
 */
export function sentRanges(
  sent: readonly { topic: string; messages: readonly { partition?: number }[] }[],
  answers: readonly { topicName: string; partition: number; baseOffset?: string }[],
  ranges: RecordMetadata[],
): void {
  checkAnswers(sent, answers)
  for (const { topicName, partition, baseOffset } of answers) {
    const messages = sent.find(({ topic }) => topic === topicName)?.messages ?? []
    const count = messages.filter((message) => message.partition === partition).length
    const range = { topic: topicName, partition, offsetFirst: Number(baseOffset), count }
    const index = ranges.findLastIndex((before) => before.topic === topicName && before.partition === partition)
    const before = ranges[index]
    if (before !== undefined && before.offsetFirst + before.count === range.offsetFirst) {
      ranges[index] = { ...before, count: before.count + count }
    } else {
      ranges.push(range)
    }
  }
}

function checkAnswers(
  sent: readonly { topic: string; messages: readonly { partition?: number }[] }[],
  answers: readonly { topicName: string; partition: number }[],
): void {
  const asked = new Set(
    sent.flatMap(({ topic, messages }) => messages.map(({ partition }) => `${topic}[${partition}]`)),
  )
  const answered = answers.map(({ topicName, partition }) => `${topicName}[${partition}]`)
  const unanswered = [...asked].filter((place) => !answered.includes(place))
  if (unanswered.length > 0) throw new Error(`no answer for ${unanswered.join(', ')}`)
  if (answered.length > asked.size) throw new Error(`more than one answer for some of ${answered.join(', ')}`)
}
