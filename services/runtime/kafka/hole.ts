import type { Hole, PartitionLog, Place } from './port.ts'

/**
 * What lies between a position and the log as it is now: records deleted before they were read, or a topic recreated under the same name.
 * Undefined if reading may continue at the position. A position past the end is left to the fetch: a new leader may not know yet how far the
 * last one had got.
 */
export function holeBefore(place: Place, log: PartitionLog): Hole | undefined {
  const { topic, partition, topicId, first } = log
  const at = { topic, partition, topicId }
  if (place.topicId !== null && topicId !== null && place.topicId !== topicId)
    return { ...at, reason: 'recreated', from: place.offset, to: first }
  if (place.offset < first) return { ...at, reason: 'deleted', from: place.offset, to: first }
  return undefined
}

/** The same after a broker has said that the position is out of range. */
export function holeOutOfRange(place: Place, log: PartitionLog): Hole {
  const { topic, partition, topicId, end } = log
  return holeBefore(place, log) ?? { topic, partition, topicId, reason: 'truncated', from: end, to: place.offset }
}

/**
 * Whether processing up to `offset` leaves out something delivered to the group before its committed position. State counts records; a group's
 * position also counts the markers after them.
 */
export const isBehind = (offset: number, { offset: place, afterRecord = place }: Place): boolean =>
  offset < Math.min(place, afterRecord)

/** Where reading continues once the hole is accepted. */
export const afterHole = ({ reason, from, to }: Hole): number => (reason === 'truncated' ? from : to)

/** `topic[partition]@from-to`: the name of a hole wherever a person sees it. */
export const holeName = ({ topic, partition, from, to }: Hole): string => `${topic}[${partition}]@${from}-${to}`

/** What happened, as a sentence. */
export function holeInWords(hole: Hole): string {
  const { topic, partition, reason, from, to } = hole
  if (reason === 'deleted')
    return `${topic}[${partition}]: the records from ${from} to before ${to} were deleted before they were read`
  if (reason === 'damaged')
    return `${topic}[${partition}]: the records from ${from} to before ${to} are damaged in the broker's log: it does not have the bytes that were written`
  if (reason === 'truncated')
    return `${topic}[${partition}]: the log ends at ${from}, although it was read up to ${to}: its last records are lost`
  return `${topic} was deleted and recreated: what ${topic}[${partition}] had after ${from} is not known, the new one begins at ${to}`
}
