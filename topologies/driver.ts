import { asDocumentId, type DocumentId, type Manifest, type SelectionChunk } from '../schemas/index.ts'
import { stretchesFrom } from './console/parts.ts'
import type { RunningStation, Station } from './dataflow.ts'
import { fnv1a } from './hash.ts'
import type { Delivered, Outgoing, Output, RecordMetadata } from './node.ts'

/** Chooses what happens next: 0 <= result < choices. A seeded one makes every interleaving repeatable. */
export type Scheduler = (choices: number) => number

export const inOrder: Scheduler = () => 0

interface Running {
  readonly name: string
  readonly station: RunningStation
  readonly reads: readonly string[]
  readonly positions: Map<string, number>
}

export interface Rejected {
  readonly station: string
  readonly delivered: Delivered
  readonly reason: string
  readonly message: string
}

/**
 * Runs stations on arrays instead of a broker: the same objects, the same records, partitions and offsets, no clock and no network
 * (what TopologyTestDriver is for Kafka Streams). Tests and examples run on it.
 */
export class InMemoryDriver {
  readonly log = new Map<string, Delivered[][]>()
  readonly rejected: Rejected[] = []
  readonly #running: Running[] = []
  readonly #partitions: (topic: string) => number
  readonly #schedule: Scheduler

  constructor(options: { partitions?: (topic: string) => number; schedule?: Scheduler } = {}) {
    this.#partitions = options.partitions ?? (() => 1)
    this.#schedule = options.schedule ?? inOrder
  }

  /** Adds a station and starts it. It replaces one of the same name and resumes from its state, as after a crash. */
  async start(station: Station, build: (output: Output) => RunningStation): Promise<void> {
    const running = build(this.#output(station.name))
    running.restore?.(station.restoreFrom.flatMap((topic) => this.records(topic)))
    const at = this.#running.findIndex(({ name }) => name === station.name)
    const entry: Running = { name: station.name, station: running, reads: station.reads, positions: new Map() }
    for (const topic of station.reads) {
      for (let partition = 0; partition < this.#partitions(topic); partition++) {
        entry.positions.set(`${topic}[${partition}]`, running.startOffset?.(topic, partition) ?? 0)
      }
    }
    if (at === -1) this.#running.push(entry)
    else this.#running[at] = entry
    await running.start?.()
  }

  /** All records of a topic, partition by partition. */
  records(topic: string): Delivered[] {
    return (this.log.get(topic) ?? []).flat()
  }

  append(records: readonly Outgoing[]): RecordMetadata[] {
    return records.map(({ topic, record, key, value, partition: named }) => {
      const count = this.#partitions(topic)
      const partitions = this.log.get(topic) ?? Array.from({ length: count }, () => [])
      this.log.set(topic, partitions)
      // Any partition will do for a key, as long as it is always the same.
      const partition = named ?? (fnv1a(key) >>> 0) % count
      const offsetFirst = partitions[partition]!.length
      partitions[partition]!.push({ topic, partition, offset: offsetFirst, record: record.name, value })
      return { topic, partition, offsetFirst, count: 1 }
    })
  }

  /** Delivers until nothing is left. The scheduler chooses which partition is next, and how much of it. */
  async run(): Promise<void> {
    for (;;) {
      const choices = this.#running.flatMap((running) =>
        [...running.positions].flatMap(([name, position]) => {
          const topic = name.slice(0, name.lastIndexOf('['))
          const partition = Number(name.slice(name.lastIndexOf('[') + 1, -1))
          const unread = (this.log.get(topic)?.[partition]?.length ?? 0) - position
          return unread > 0 ? [{ running, name, topic, partition, position, unread }] : []
        }),
      )
      if (choices.length === 0) return
      const { running, name, topic, partition, position, unread } = choices[this.#schedule(choices.length)]!
      const count = unread - this.#schedule(unread)
      await running.station.process(this.log.get(topic)![partition]!.slice(position, position + count))
      running.positions.set(name, position + count)
    }
  }

  #output(station: string): Output {
    const send = async (records: readonly Outgoing[]) => this.append(records)
    return {
      send,
      // Rolled back as a whole if the work fails.
      transaction: async (work) => {
        const before = new Map(
          [...this.log].map(([topic, partitions]) => [topic, partitions.map((records) => records.length)]),
        )
        try {
          return await work(send)
        } catch (error) {
          for (const [topic, partitions] of this.log) {
            for (const [partition, records] of partitions.entries())
              records.length = before.get(topic)?.[partition] ?? 0
          }
          throw error
        }
      },
      deadLetter: (delivered, reason, message) => this.rejected.push({ station, delivered, reason, message }),
    }
  }
}

/** The selection of a manifest, in emission order, from a topic's records in offset order. */
export function selectionOf(manifest: Manifest, chunks: readonly Delivered[]): DocumentId[] {
  const own = stretchesFrom(manifest, 0).flatMap(({ offsetFirst, chunks: count }) =>
    chunks.slice(offsetFirst, offsetFirst + count),
  )
  return own.flatMap(({ value }) => Array.from((value as SelectionChunk).docIds, asDocumentId))
}
