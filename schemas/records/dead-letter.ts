import { bytes, documented, long, nullable, offset, partition, string } from '../field.ts'
import { type RecordValue, record } from '../record.ts'

/** A record or row that was rejected, with everything needed to fix and redrive it. */
export const DeadLetter = record('DeadLetter', 'What was refused, why, and its bytes', {
  station: string,
  reason: documented(string, 'A stable code'),
  message: string,
  origin: documented(string, 'file:line or topic[partition]@offset'),
  topic: nullable(string),
  partition: nullable(partition),
  offset: nullable(offset),
  file: nullable(string),
  line: nullable(long),
  key: nullable(bytes),
  value: nullable(bytes),
})
export type DeadLetter = RecordValue<typeof DeadLetter>
