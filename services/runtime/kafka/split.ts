import type { RecordMetadata } from '../../../topologies/node.ts'
import { WinnowError } from '../errors.ts'
import type { OutgoingRecord } from './port.ts'
import {
  batchHeaderBytes,
  fitsWithTrace,
  maxRecordBytes,
  messageBytesDefault,
  packingOf,
  recordBytes,
  recordHeaderBytes,
  traceBytes,
} from './record-size.ts'

/** kafkajs copies a partition's list once per record, so its time grows with the square of this. */
const batchRecordsMax = 1000

/** Records of one request: as many as fit into a batch, or a single longer one. */
export interface Piece {
  readonly records: OutgoingRecord[]
  /** Compressed by gzip, which every client can read: uncompressed it is too long. */
  readonly compressed: boolean
}

/**
 * Cuts records, in order, into pieces that a broker accepts in one request: kafkajs sends them unsplit, and the broker rejects what exceeds
 * its limit. @param messageBytesMax `max.message.bytes` of the topics that differ from the broker's default. @throws WinnowError BAD_DATA for
 * a record that is too large on its own, even compressed, before anything is sent.
 */
export function split(
  records: readonly OutgoingRecord[],
  messageBytesMax: ReadonlyMap<string, number> = new Map(),
): Piece[] {
  const pieces: Piece[] = []
  let piece: OutgoingRecord[] = []
  let pieceBytes = 0
  const end = () => {
    if (piece.length > 0) pieces.push({ records: piece, compressed: false })
    piece = []
    pieceBytes = 0
  }
  for (const record of records) {
    const bytes = recordBytes(record)
    if (bytes > maxRecordBytes) {
      const limit = messageBytesMax.get(record.topic) ?? messageBytesDefault
      const packing = packingOf(record, limit)
      if (packing === 'too-large') throw tooLarge(record, bytes, limit)
      end()
      pieces.push({ records: [record], compressed: packing === 'gzip' })
      continue
    }
    const bytesWithHeader = bytes + recordHeaderBytes + (fitsWithTrace(record) ? traceBytes(record) : 0)
    if (pieceBytes + bytesWithHeader > messageBytesDefault - batchHeaderBytes || piece.length === batchRecordsMax) end()
    piece.push(record)
    pieceBytes += bytesWithHeader
  }
  end()
  return pieces
}

function tooLarge(record: OutgoingRecord, bytes: number, limit: number): WinnowError {
  const key = record.key === null ? 'without a key' : `with key "${record.key.slice(0, 100)}"`
  return new WinnowError(
    'BAD_DATA',
    `A record ${key} for topic ${record.topic} has ${bytes} bytes; its messages may have ${limit}, compressed.`,
    {
      hint: 'Raise corpus.recordBytesMax and max.message.bytes of the topic (winnow doctor says how), or split the document.',
    },
  )
}

/**
 * Where the records of one request were written, appended to `ranges`; a range that continues the last one of its partition is merged into it.
 * `sent` are the messages with their partitions, `answers` the broker's: one base offset per partition. @throws Error if a partition has no
 * answer, or two: then it is unknown what the broker has
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
