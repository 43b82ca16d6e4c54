import { DeadLetter, type Offset, topics } from '../../../schemas/index.ts'
import type { Runtime } from '../../connections/connections.ts'
import { readable } from '../../runtime/codec.ts'

/** A dead letter and its number: its offset in the topic of dead letters, which has one partition. */
export interface StoredLetter {
  readonly offset: Offset
  readonly letter: DeadLetter
}

/** Selects letters: those that match every given condition. */
export interface LetterFilter {
  readonly offsets?: readonly number[]
  readonly station?: string
  readonly reason?: string
  /** The topic from which the rejected record was read. */
  readonly topic?: string
}

export const fits = ({ offset, letter }: StoredLetter, { offsets, station, reason, topic }: LetterFilter): boolean =>
  (offsets === undefined || offsets.includes(offset)) &&
  (station === undefined || letter.station === station) &&
  (reason === undefined || letter.reason === reason) &&
  (topic === undefined || letter.topic === topic)

/** The letters there are now, oldest first, one batch in memory at a time. Records of any other type, written by others, are skipped. */
export async function* readDeadLetters(
  { kafka, codec }: Pick<Runtime, 'kafka' | 'codec'>,
  filter: LetterFilter = {},
): AsyncGenerator<StoredLetter> {
  const from = filter.offsets === undefined ? [] : [Math.min(...filter.offsets)]
  for await (const records of kafka.read(topics.deadLetters.name, from)) {
    for (const { offset, value } of records) {
      if (value === null) continue
      const letter = await readable(() => codec.decodeAs(DeadLetter, value))
      if (letter !== undefined && fits({ offset, letter }, filter)) yield { offset, letter }
    }
  }
}
