import type { Offset, Partition } from '../../schemas/index.ts'
import type { Kafka } from './kafka/port.ts'

/** What a consumer group has not read of a topic. */
export interface Lag {
  /** Records by partition, counted by offsets, so including markers of transactions; 0 where only markers are left. */
  readonly partitions: readonly number[]
  /** When the oldest of them was written, milliseconds since the epoch; null: nothing is waiting. */
  readonly oldestMs: number | null
}

/** A consumer group, whatever its instances, and a topic that it reads. */
export interface LagQuestion {
  readonly groupId: string
  readonly topic: string
  /** The next offset of each partition. */
  readonly ends: readonly number[]
  /** Where the group began in a partition it has committed nothing for. Default: 0. */
  readonly startOf?: (topic: string, partition: Partition) => Offset
}

type LagKafka = Pick<Kafka, 'committedOffsets' | 'writtenAt'>
type Written = Map<string, { offset: Offset; atMs: number | null }>

/** Measures lag: the one that metrics, `winnow top` and the board show. */
export class LagMeter {
  readonly #kafka: LagKafka
  /** When the record at a committed offset was written, cached by group and partition while the offset stays; unused entries are dropped. */
  #written: Written = new Map()

  constructor(kafka: LagKafka) {
    this.#kafka = kafka
  }

  /** @returns in the order of the questions; undefined where a group has committed nothing and the question gives no start */
  async measure(questions: readonly LagQuestion[]): Promise<(Lag | undefined)[]> {
    const written: Written = new Map()
    const lags = await Promise.all(questions.map((question) => this.#lagOf(question, written)))
    this.#written = written
    return lags
  }

  async #lagOf({ groupId, topic, ends, startOf }: LagQuestion, written: Written): Promise<Lag | undefined> {
    const committed = await this.#kafka.committedOffsets(groupId, topic)
    if (startOf === undefined && committed.every((offset) => offset === null)) return undefined
    const times: number[] = []
    const partitions = await Promise.all(
      ends.map(async (end, partition) => {
        const offset = committed[partition] ?? startOf?.(topic, partition) ?? 0
        if (offset >= end) return 0
        const atMs = await this.#writtenAt(groupId, topic, partition, offset, written)
        // Only markers of transactions lie ahead, which readers never get.
        if (atMs === null) return 0
        times.push(atMs)
        return end - offset
      }),
    )
    return { partitions, oldestMs: times.length === 0 ? null : Math.min(...times) }
  }

  async #writtenAt(groupId: string, topic: string, partition: Partition, offset: Offset, written: Written) {
    const place = `${groupId} ${topic}[${partition}]`
    const before = this.#written.get(place)
    // Nothing is readable there yet, but may be later.
    const atMs =
      before?.offset === offset && before.atMs !== null
        ? before.atMs
        : await this.#kafka.writtenAt(topic, partition, offset)
    written.set(place, { offset, atMs })
    return atMs
  }
}

export const sumOf = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0)
