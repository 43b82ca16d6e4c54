import { DeadLetter, topics } from '../../schemas/index.ts'
import type { Codec } from '../runtime/codec.ts'
import type { OutgoingRecord } from '../runtime/kafka/port.ts'
import { maxRecordBytes, packingOf } from '../runtime/kafka/record-size.ts'
import type { Rejection } from './row.ts'

/** How many bytes are kept of a row that does not fit into a dead letter, so that with message, key and paths it fits into any topic. */
export const deadLetterBytesKept = maxRecordBytes - 64 * 1024

/** A rejected row. */
export interface RefusedRow {
  readonly file: string
  readonly row: number
  readonly rejection: Rejection
  /** The whole line, or what is known of it. */
  readonly bytes: Buffer
}

/**
 * The dead letter of a row, with all its bytes if they fit into the topic (compressed if long), else with the first of them; the rest is still
 * at the file and line that the letter names.
 * @param messageBytesMax of the topic of dead letters
 */
export function letterOf(refused: RefusedRow, codec: Pick<Codec, 'encode'>, messageBytesMax: number): OutgoingRecord {
  const { bytes } = refused
  const whole = recordOf(refused, bytes, '', codec)
  if (packingOf(whole, messageBytesMax) !== 'too-large') return whole
  const kept = bytes.subarray(0, deadLetterBytesKept)
  const cut = ` (the first ${kept.length} of ${bytes.length} bytes are kept; all of them are in ${placeOf(refused)})`
  return recordOf(refused, kept, cut, codec)
}

const placeOf = ({ file, row }: RefusedRow) => `${file}:${row + 1}`

function recordOf(refused: RefusedRow, value: Buffer, cut: string, codec: Pick<Codec, 'encode'>): OutgoingRecord {
  const { file, row, rejection } = refused
  const letter: DeadLetter = {
    station: 'ingest',
    reason: rejection.reason,
    message: rejection.message.toWellFormed() + cut,
    origin: placeOf(refused),
    topic: null,
    partition: null,
    offset: null,
    file,
    line: row + 1,
    key: null,
    value,
  }
  return { topic: topics.deadLetters.name, key: letter.origin, value: codec.encode(DeadLetter, letter) }
}
