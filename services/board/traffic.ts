import type { Kafka } from '../runtime/kafka/port.ts'
import { groupIdOf } from '../runtime/station.ts'
import type { FollowedRun } from './model.ts'
import type { Traffic } from './shape.ts'

/** Rates are over this long: short enough to see a round begin, long enough not to flicker. */
const windowMs = 10_000

/** Topic sizes over time. */
export class TrafficMeter {
  #samples: { atMs: number; totals: Map<string, number> }[] = []

  /** @param ends the next offset of each partition of each topic, at `atMs` */
  rates(atMs: number, ends: ReadonlyMap<string, readonly number[]>): Traffic['topics'] {
    const totals = new Map([...ends].map(([topic, offsets]) => [topic, sum(offsets)]))
    this.#samples = [...this.#samples.filter((sample) => sample.atMs >= atMs - windowMs), { atMs, totals }]
    const first = this.#samples[0]!
    const seconds = (atMs - first.atMs) / 1000
    return Object.fromEntries(
      [...ends].map(([topic, offsets]) => {
        const grown = totals.get(topic)! - (first.totals.get(topic) ?? totals.get(topic)!)
        return [topic, { ends: offsets, ratePerSecond: seconds === 0 ? 0 : Math.round((grown / seconds) * 10) / 10 }]
      }),
    )
  }
}

type LagKafka = Pick<Kafka, 'committedOffsets' | 'consumerGroups' | 'writtenAt'>
type Lag = Traffic['lag'][number]
type Written = Map<string, { offset: number; atMs: number | null }>

interface Reader {
  readonly run: string | null
  readonly station: string
  readonly reads: readonly string[]
  /** The group's name, or its beginning where each instance is in a group of its own. */
  readonly group: string
}

/** How far behind the stations' consumer groups are, and how old what waits is. */
export class LagMeter {
  readonly #kafka: LagKafka
  /** When the record at a committed offset was written, while the offset stays: by group and partition. */
  #written: Written = new Map()

  constructor(kafka: LagKafka) {
    this.#kafka = kafka
  }

  /** A station whose groups have committed nothing is left out: it has never run, or keeps its place elsewhere (the trainer, ingest). */
  async measure(runs: readonly FollowedRun[], ends: ReadonlyMap<string, readonly number[]>): Promise<Lag[]> {
    const live = (await this.#kafka.consumerGroups('winnow.')).map(({ groupId }) => groupId)
    const written: Written = new Map()
    const found = await Promise.all(
      readersOf(runs).flatMap((reader) => {
        // A group that nobody is in still knows how far it came.
        const groups = new Set([reader.group, ...live.filter((id) => id.startsWith(`${reader.group}.`))])
        return reader.reads.map((topic) => this.#lagOf(reader, topic, [...groups], ends.get(topic), written))
      }),
    )
    this.#written = written
    return found.flatMap((lag) => lag ?? [])
  }

  async #lagOf(
    { run, station }: Reader,
    topic: string,
    groups: readonly string[],
    ends: readonly number[] | undefined,
    written: Written,
  ): Promise<Lag | undefined> {
    if (ends === undefined) return undefined
    const all = await Promise.all(groups.map((group) => this.#ofGroup(group, topic, ends, written)))
    const known = all.flatMap((one) => one ?? [])
    if (known.length === 0) return undefined
    // Of several instances that each read everything, the one that is furthest behind.
    const worst = known.reduce((a, b) => (sum(b.partitions) > sum(a.partitions) ? b : a))
    return { run, station, topic, ...worst }
  }

  async #ofGroup(group: string, topic: string, ends: readonly number[], written: Written) {
    const committed = await this.#kafka.committedOffsets(group, topic)
    if (committed.every((offset) => offset === null)) return undefined
    const times: number[] = []
    const partitions = await Promise.all(
      ends.map(async (end, partition) => {
        const offset = committed[partition] ?? 0
        if (offset >= end) return 0
        const atMs = await this.#writtenAt(group, topic, partition, offset, written)
        // Only the marks of transactions lie ahead.
        if (atMs === null) return 0
        times.push(atMs)
        return end - offset
      }),
    )
    return { partitions, oldestMs: times.length === 0 ? null : Math.min(...times) }
  }

  async #writtenAt(group: string, topic: string, partition: number, offset: number, written: Written) {
    const place = `${group} ${topic}[${partition}]`
    const before = this.#written.get(place)
    // Nothing readable there yet may be something later.
    const atMs =
      before?.offset === offset && before.atMs !== null
        ? before.atMs
        : await this.#kafka.writtenAt(topic, partition, offset)
    written.set(place, { offset, atMs })
    return atMs
  }
}

/** Stations with their groups; those of the corpus, which all runs share, once. */
function readersOf(runs: readonly FollowedRun[]): Reader[] {
  const readers = new Map<string, Reader>()
  for (const { config, model } of runs) {
    for (const { name: station, reads } of model.info.stations) {
      const { group, shared } = groupOf(station, config.name, config.labelers)
      // A sink reads what the actors of any run bring.
      const known = readers.get(group)?.reads ?? []
      readers.set(group, {
        run: shared ? null : config.name,
        station,
        reads: [...new Set([...known, ...reads])],
        group,
      })
    }
  }
  return [...readers.values()]
}

function groupOf(station: string, run: string, labelers: Readonly<Record<string, string>>) {
  if (station === 'label sink' || station === 'ingest') return { group: groupIdOf(station), shared: true }
  const actor = /^labeler (.+)$/.exec(station)?.[1]
  if (actor !== undefined) return { group: groupIdOf(`${station} ${labelers[actor]}`), shared: true }
  return { group: groupIdOf(station, run), shared: false }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0)
