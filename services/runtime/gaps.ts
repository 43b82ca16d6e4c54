import { setTimeout as sleep } from 'node:timers/promises'
import { Gap, topics } from '../../schemas/index.ts'
import { type Codec, readable } from './codec.ts'
import { WinnowError } from './errors.ts'
import { holeInWords, holeName } from './kafka/hole.ts'
import type { Hole, Kafka } from './kafka/port.ts'
import type { Log } from './log.ts'

const { name, partitions, cleanup, retentionMs } = topics.gaps
const pollMs = 1000

/** All recorded gaps, in the order in which they were found. */
export const recordedGaps = (kafka: Pick<Kafka, 'read'>, codec: Pick<Codec, 'decodeAs'>): Promise<Gap[]> =>
  new GapReader(kafka, codec).list()

class GapReader {
  readonly #kafka: Pick<Kafka, 'read'>
  readonly #codec: Pick<Codec, 'decodeAs'>
  readonly #gaps = new Map<string, Gap>()
  #from: number[] = []

  constructor(kafka: Pick<Kafka, 'read'>, codec: Pick<Codec, 'decodeAs'>) {
    this.#kafka = kafka
    this.#codec = codec
  }

  /** Each call reads only what is new since the last one. */
  async list(): Promise<Gap[]> {
    for await (const records of this.#kafka.read(name, this.#from)) {
      for (const { partition, offset, value } of records) {
        this.#from[partition] = offset + 1
        const gap = value && (await readable(() => this.#codec.decodeAs(Gap, value)))
        if (gap) this.#gaps.set(keyOf(gap), gap)
      }
    }
    return [...this.#gaps.values()]
  }
}

/** The gaps that stations have found in the logs, and which of them somebody has accepted. */
export class Gaps {
  readonly #kafka: Pick<Kafka, 'createTopics' | 'read' | 'producer'>
  readonly #codec: Codec
  readonly #reader: GapReader

  constructor({ kafka, codec }: { kafka: Pick<Kafka, 'createTopics' | 'read' | 'producer'>; codec: Codec }) {
    this.#kafka = kafka
    this.#codec = codec
    this.#reader = new GapReader(kafka, codec)
  }

  /** All recorded gaps, in the order in which they were found; each call reads only what is new since the last one. */
  list(): Promise<Gap[]> {
    return this.#reader.list()
  }

  async write(gaps: readonly Gap[]): Promise<void> {
    await this.#kafka.createTopics([{ name, partitions, cleanup, retentionMs }])
    const producer = await this.#kafka.producer()
    try {
      await producer.send(gaps.map((gap) => ({ topic: name, key: keyOf(gap), value: this.#codec.encode(Gap, gap) })))
    } finally {
      await producer.close()
    }
  }

  /**
   * Records the hole if nobody has yet, and resolves when somebody has accepted it (`winnow gaps accept`) or one that contains it; also when
   * the signal aborts. While Kafka is away it keeps waiting.
   */
  async untilAccepted(hole: Hole, station: string, log: Log, signal: AbortSignal): Promise<void> {
    for (let told = false; !signal.aborted; ) {
      try {
        const gaps = told ? await this.list() : await this.#listOrCreate()
        if (gaps.some((gap) => gap.accepted && covers(gap, hole))) return
        if (!told && !gaps.some((gap) => covers(gap, hole))) await this.write([{ ...hole, station, accepted: false }])
        if (!told) log.error({ station, gap: holeName(hole) }, `${holeInWords(hole)}; waiting: see winnow gaps list`)
        told = true
      } catch (error) {
        if (!(error instanceof WinnowError && error.retriable)) throw error
      }
      await sleep(pollMs, undefined, { signal }).catch(() => {})
    }
  }

  async #listOrCreate(): Promise<Gap[]> {
    await this.#kafka.createTopics([{ name, partitions, cleanup, retentionMs }])
    return await this.list()
  }
}

const keyOf = (gap: Hole): string => `${holeName(gap)} ${gap.topicId ?? ''}`

/** Whether `gap` makes `hole` known: stations reach the same gap from different offsets. */
export const covers = (gap: Hole, hole: Hole): boolean =>
  gap.topic === hole.topic &&
  gap.partition === hole.partition &&
  gap.topicId === hole.topicId &&
  gap.reason === hole.reason &&
  (hole.reason === 'recreated' || (gap.from <= hole.from && gap.to >= hole.to))
