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

/** How far a reader has come that has written what it read up to `offset`: past the markers behind its last record, if its group is. */
export const pastMarkers = (offset: number, place: Place | null | undefined): number =>
  place && !isBehind(offset, place) ? Math.max(offset, place.offset) : offset

/**
 * What a log has lost that lost its end and grew again: where the records of the epoch of the last record read end before that record.
 * @param epochEnd see `Kafka.epochEnd`
 */
export function holeDiverged(place: Place, log: PartitionLog, epochEnd: number | null): Hole | undefined {
  const { topic, partition, topicId, first } = log
  const { offset, afterRecord = offset } = place
  if (epochEnd === null || epochEnd >= afterRecord) return undefined
  // An epoch that the leader does not know: nothing says up to where the logs are the same.
  const from = Math.max(first, epochEnd)
  return { topic, partition, topicId, reason: 'truncated', from, to: Math.max(offset, afterRecord) }
}

/**
 * Whether a log is still the one that was read up to a place: it has been recreated, or has lost its end. Undefined: it is, as far as the place
 * and the broker tell.
 */
export async function holeSince(
  place: Place,
  log: PartitionLog,
  epochEnd: (topic: string, partition: number, leaderEpoch: number) => Promise<number | null>,
): Promise<Hole | undefined> {
  const hole = holeBefore(place, log)
  if (hole?.reason === 'recreated') return hole
  const { offset, afterRecord = offset, leaderEpoch } = place
  if (leaderEpoch === undefined || afterRecord === 0) return undefined
  return holeDiverged(place, log, await epochEnd(log.topic, log.partition, leaderEpoch))
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

/** Where reading continues from `offset` once the hole is accepted. */
export const afterHole = ({ reason, from, to }: Hole, offset: number): number =>
  reason === 'truncated' ? Math.min(offset, from) : to

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
    return `${topic}[${partition}]: the log has lost its records from ${from} on, although it was read up to ${to}`
  return `${topic} was deleted and recreated: what ${topic}[${partition}] had after ${from} is not known, the new one begins at ${to}`
}
