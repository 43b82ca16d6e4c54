import type { Hole, PartitionLog, Place } from './port.ts'

/**
 * What stands between a place and the log as it is now: records that were deleted before they were read, or a topic that was made again
 * under its name. Undefined where reading may go on at the place.
 * A place past the end is left to the fetch: a leader that is new may not know yet how far the last one had come.
 */
export function holeBefore(place: Place, log: PartitionLog): Hole | undefined {
  const { topic, partition, topicId, first } = log
  const at = { topic, partition, topicId }
  if (place.topicId !== null && topicId !== null && place.topicId !== topicId)
    return { ...at, reason: 'recreated', from: place.offset, to: first }
  if (place.offset < first) return { ...at, reason: 'deleted', from: place.offset, to: first }
  return undefined
}

/** The same where a broker has said that the place is out of its log's range. */
export function holeOutOfRange(place: Place, log: PartitionLog): Hole {
  const { topic, partition, topicId, end } = log
  return holeBefore(place, log) ?? { topic, partition, topicId, reason: 'truncated', from: end, to: place.offset }
}

/**
 * Whether what is done up to `offset` leaves out something that a group was given before its place. State counts records, a group's place
 * the markers behind them as well.
 */
export const isBehind = (offset: number, { offset: place, afterRecord = place }: Place): boolean =>
  offset < Math.min(place, afterRecord)

/** Where reading goes on once the hole is accepted. */
export const afterHole = ({ reason, from, to }: Hole): number => (reason === 'truncated' ? from : to)

/** `topic[partition]@from-to`: how a hole is named wherever a person reads of it. */
export const holeName = ({ topic, partition, from, to }: Hole): string => `${topic}[${partition}]@${from}-${to}`

/** What happened, as a sentence. */
export function holeInWords(hole: Hole): string {
  const { topic, partition, reason, from, to } = hole
  if (reason === 'deleted')
    return `${topic}[${partition}]: the records from ${from} to before ${to} were deleted before they were read`
  if (reason === 'truncated')
    return `${topic}[${partition}]: the log ends at ${from}, although it was read up to ${to}: its last records are lost`
  return `${topic} was deleted and made again: what ${topic}[${partition}] had after ${from} is not known, the new one begins at ${to}`
}
