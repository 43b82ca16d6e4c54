import { setTimeout as sleep } from 'node:timers/promises'
import { isKeptWhole, type LogPosition, type TopicOffset } from '../../schemas/index.ts'
import { consumerGroupOf } from '../runtime/consumer-groups.ts'
import { holeBefore, holeOutOfRange, holeSince, isBehind, pastMarkers } from '../runtime/kafka/hole.ts'
import type { Hole, Kafka, PartitionLog } from '../runtime/kafka/port.ts'
import { placeOf } from '../runtime/log-positions.ts'
import { readersOf, type Watched } from './lag.ts'

/** A hole before a station's next record, whether or not the station runs and has met it. */
export interface FoundHole extends Hole {
  readonly station: string
}

/** Problems of the logs themselves. */
export interface LogTrouble {
  readonly holes: readonly FoundHole[]
  /** Records that no reader gets because an earlier transaction stays open. */
  readonly heldBack: readonly PartitionLog[]
  /** Topics that keep everything, but whose first records are gone: they can no longer be read from the beginning. */
  readonly beheaded: readonly PartitionLog[]
}

type LogKafka = Pick<Kafka, 'logsOf' | 'committedPlaces' | 'topicNames' | 'epochEnd'>

/** Our own transactions are shorter than this, or make progress meanwhile. */
const openMsMin = 2000

/**
 * @param positions recorded by stations
 * @param covered the offsets up to which the label sink has written; omitted if ClickHouse was not asked
 */
export async function findLogTrouble(
  kafka: LogKafka,
  watched: Watched,
  positions: readonly LogPosition[] = [],
  covered?: readonly TopicOffset[],
): Promise<LogTrouble> {
  const names = (await kafka.topicNames()).filter((name) => name.startsWith('winnow.'))
  const logs = new Map(await Promise.all(names.map(async (name) => [name, await kafka.logsOf(name)] as const)))
  const all = [...logs.values()].flat()
  const epochEnd: LogKafka['epochEnd'] = (...asked) => kafka.epochEnd(...asked)
  const found = readersOf(watched).flatMap(({ kind, station, run, reads, group }) =>
    reads.map(async (topic): Promise<FoundHole[]> => {
      const ofTopic = logs.get(topic)
      // Actors, consoles and trainers keep their offsets in their own records; they record the holes that they meet.
      if (ofTopic === undefined || (run !== null && kind !== 'influence')) return []
      const places = await kafka.committedPlaces(group, topic)
      const holes = ofTopic.map(async (log) => {
        const place = places[log.partition] ?? (isKeptWhole(topic) ? { offset: 0, topicId: null } : undefined)
        if (place === undefined) return undefined
        const rows = kind === 'label-sink' ? rowsUpTo(log, covered) : Number.POSITIVE_INFINITY
        const offset = isBehind(rows, place) ? rows : place.offset
        const lost =
          (await holeSince(place, log, epochEnd)) ??
          (offset > log.end ? holeOutOfRange : holeBefore)({ ...place, offset }, log)
        return lost && (kind === 'labeler' || kind === 'decontamination')
          ? notKept(lost, await keptUpTo(kafka, log, covered))
          : lost
      })
      return (await Promise.all(holes)).flatMap((hole) => (hole === undefined ? [] : [{ ...hole, station }]))
    }),
  )
  const remembered = positions.map(async (position): Promise<FoundHole[]> => {
    const log = logs.get(position.topic)?.[position.partition]
    if (log === undefined) return []
    // The group's own place is newer, if it says of which topic it is.
    const place = (await kafka.committedPlaces(position.group, position.topic))[position.partition]
    const hole = place?.topicId ? undefined : await holeSince(placeOf(position), log, epochEnd)
    return hole === undefined ? [] : [{ ...hole, station: position.station }]
  })
  return {
    holes: (await Promise.all([...found, ...remembered])).flat(),
    heldBack: await stillHeldBack(kafka, all),
    beheaded: all.filter(({ topic, first }) => first > 0 && isKeptWhole(topic)),
  }
}

/** Labelers and the comparison with evaluation sets read from ClickHouse what the topic has deleted (`refillHole`). Infinity, as ClickHouse was not asked: nothing is known. */
function notKept(hole: Hole, rows: number): Hole | undefined {
  if (hole.reason !== 'deleted' || rows === Number.POSITIVE_INFINITY) return hole
  return rows >= hole.to ? undefined : { ...hole, from: Math.max(hole.from, rows) }
}

const rowsUpTo = ({ topic, partition }: PartitionLog, covered: readonly TopicOffset[] | undefined): number =>
  covered === undefined
    ? Number.POSITIVE_INFINITY
    : (covered.find((one) => one.topic === topic && one.partition === partition)?.offsetNext ?? 0)

/** What ClickHouse has of a log: what the label sink has written, and the markers behind it. */
async function keptUpTo(
  kafka: Pick<Kafka, 'committedPlaces'>,
  log: PartitionLog,
  covered: readonly TopicOffset[] | undefined,
): Promise<number> {
  const places = await kafka.committedPlaces(consumerGroupOf({ kind: 'label-sink' }, {}), log.topic)
  return pastMarkers(rowsUpTo(log, covered), places[log.partition])
}

/** Held back now and a while later, by the same transaction. */
async function stillHeldBack(kafka: LogKafka, logs: readonly PartitionLog[]): Promise<PartitionLog[]> {
  const suspects = logs.filter(({ stable, end }) => stable < end)
  if (suspects.length === 0) return []
  await sleep(openMsMin)
  const topics = [...new Set(suspects.map(({ topic }) => topic))]
  const later = (await Promise.all(topics.map((topic) => kafka.logsOf(topic)))).flat()
  return later.filter(
    (now) =>
      now.stable < now.end &&
      suspects.some(
        ({ topic, partition, stable }) => topic === now.topic && partition === now.partition && stable === now.stable,
      ),
  )
}
