import { LogPosition, topics } from '../../schemas/index.ts'
import { type Codec, readable } from './codec.ts'
import { holeSince } from './kafka/hole.ts'
import type { Hole, Kafka, Place, Producer } from './kafka/port.ts'

const { name: topicOfPositions, partitions, cleanup, retentionMs } = topics.gaps

type PositionsKafka = Pick<Kafka, 'createTopics' | 'read' | 'producer' | 'logsOf' | 'epochEnd'>

interface Owner {
  /** Consumer group, or what the names of its groups begin with. */
  readonly group: string
  readonly station: string
}

const keyOf = ({ group, topic, partition }: Pick<LogPosition, 'group' | 'topic' | 'partition'>): string =>
  `position ${group} ${topic}[${partition}]`

/** The recorded positions of all stations. */
export async function recordedPositions(
  kafka: Pick<Kafka, 'read'>,
  codec: Pick<Codec, 'decodeAs'>,
): Promise<LogPosition[]> {
  const found = new Map<string, LogPosition>()
  for await (const records of kafka.read(topicOfPositions)) {
    for (const { key, value } of records) {
      const position = value && (await readable(() => codec.decodeAs(LogPosition, value)))
      if (position) found.set(keyOf(position), position)
      else if (value === null && key !== null) found.delete(key.toString())
    }
  }
  return [...found.values()]
}

/** What is recorded, as a place to compare the log with. */
export const placeOf = ({ topicId, offset, leaderEpoch }: LogPosition): Place => ({
  ...{ topicId, offset, afterRecord: offset },
  ...(leaderEpoch !== null && { leaderEpoch }),
})

/** Forgets the positions in topics that were deleted on purpose. */
export async function forgetPositions(
  kafka: Pick<Kafka, 'read' | 'producer'>,
  codec: Pick<Codec, 'decodeAs'>,
  deleted: ReadonlySet<string>,
): Promise<void> {
  const gone = (await recordedPositions(kafka, codec)).filter(({ topic }) => deleted.has(topic))
  if (gone.length === 0) return
  const producer = await kafka.producer()
  try {
    await producer.send(gone.map((position) => ({ topic: topicOfPositions, key: keyOf(position), value: null })))
  } finally {
    await producer.close()
  }
}

/**
 * Where a station was in each of its logs, as records that outlive the topics and the offsets of groups: by them it notices a topic that was
 * recreated, or a log that lost its end, while it was down. Written when a log, or the leader that writes it, is seen first, and at the end.
 */
export class LogPositions {
  readonly #kafka: PositionsKafka
  readonly #codec: Codec
  readonly #owner: Owner
  readonly #recorded = new Map<string, LogPosition>()
  readonly #reached = new Map<string, LogPosition>()
  #producer: Producer | undefined

  private constructor(kafka: PositionsKafka, codec: Codec, owner: Owner) {
    this.#kafka = kafka
    this.#codec = codec
    this.#owner = owner
  }

  static async load(kafka: PositionsKafka, codec: Codec, owner: Owner): Promise<LogPositions> {
    const positions = new LogPositions(kafka, codec, owner)
    await kafka.createTopics([{ name: topicOfPositions, partitions, cleanup, retentionMs }])
    for (const position of await recordedPositions(kafka, codec))
      if (position.group === owner.group) positions.#recorded.set(keyOf(position), position)
    return positions
  }

  of(topic: string, partition: number): Place | undefined {
    const recorded = this.#recorded.get(this.#keyOf(topic, partition))
    return recorded && placeOf(recorded)
  }

  /** What topics have lost since; topics that do not exist have lost nothing. */
  async holes(names: readonly string[]): Promise<Hole[]> {
    const found: Hole[] = []
    for (const topic of names) {
      if (![...this.#recorded.values()].some((recorded) => recorded.topic === topic)) continue
      for (const log of await this.#kafka.logsOf(topic)) {
        const place = this.of(topic, log.partition)
        const hole = place && (await holeSince(place, log, (...asked) => this.#kafka.epochEnd(...asked)))
        if (hole) found.push(hole)
      }
    }
    return found
  }

  /** Records up to where topics go now. */
  async writeEnds(names: readonly string[]): Promise<void> {
    const logs = (await Promise.all(names.map((topic) => this.#kafka.logsOf(topic)))).flat()
    await this.#send(
      logs.flatMap(({ topic, partition, topicId, end, leaderEpoch }) =>
        this.#positionOf(topic, partition, { topicId, offset: end, ...(leaderEpoch !== undefined && { leaderEpoch }) }),
      ),
    )
  }

  /** Records a place in a log, or of a leader, that is not recorded yet. */
  async seen(topic: string, partition: number, place: Place): Promise<void> {
    const recorded = this.#recorded.get(this.#keyOf(topic, partition))
    const { topicId, leaderEpoch = -1 } = place
    if (recorded?.topicId === topicId && (recorded.leaderEpoch ?? -1) >= leaderEpoch) return
    await this.#send(this.#positionOf(topic, partition, place))
  }

  /** Everything before `offset` has been read. It is recorded at the end. */
  reached(topic: string, partition: number, offset: number): void {
    const recorded = this.#recorded.get(this.#keyOf(topic, partition))
    if (recorded !== undefined && recorded.offset < offset) this.#reached.set(keyOf(recorded), { ...recorded, offset })
  }

  async close(): Promise<void> {
    await this.#send([...this.#reached.values()])
    await this.#producer?.close()
  }

  /** None from a broker before 2.8, which has no ids: a log is then known by nothing. */
  #positionOf(topic: string, partition: number, place: Place): LogPosition[] {
    const { topicId, offset, afterRecord = offset, leaderEpoch = null } = { leaderEpoch: null, ...place }
    return topicId === null ? [] : [{ ...this.#owner, topic, partition, topicId, offset: afterRecord, leaderEpoch }]
  }

  async #send(positions: readonly LogPosition[]): Promise<void> {
    if (positions.length === 0) return
    this.#producer ??= await this.#kafka.producer()
    const records = positions.map((position) => ({
      topic: topicOfPositions,
      key: keyOf(position),
      value: this.#codec.encode(LogPosition, position),
    }))
    await this.#producer.send(records)
    for (const position of positions) this.#recorded.set(keyOf(position), position)
  }

  #keyOf(topic: string, partition: number): string {
    return keyOf({ ...this.#owner, topic, partition })
  }
}
