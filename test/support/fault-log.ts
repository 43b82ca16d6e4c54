import { fnv1a } from '../../topologies/hash.ts'
import type { Delivered, Outgoing, RecordMetadata } from '../../topologies/node.ts'
import type { Seeded } from './seeded.ts'

interface Entry {
  readonly delivered: Delivered | undefined
  state: 'open' | 'visible' | 'aborted'
}

interface Write {
  readonly topic: string
  readonly partition: number
  readonly entry: Entry
}

/** A transaction as the broker sees it. Its markers reach the partitions one by one, so it becomes visible one by one. */
export class Transaction {
  readonly writes: Write[] = []
  state: 'open' | 'committed' | 'aborted' = 'open'
}

/**
 * Topics as a broker keeps them for readers of what is committed: offsets with gaps where markers and aborted records stand, and nothing
 * given out beyond the first record whose transaction is undecided.
 */
export class FaultLog {
  readonly #topics = new Map<string, Entry[][]>()
  readonly #partitions: (topic: string) => number
  #undecided: Transaction[] = []

  constructor(partitions: (topic: string) => number) {
    this.#partitions = partitions
  }

  append(records: readonly Outgoing[], transaction?: Transaction): RecordMetadata[] {
    if (transaction !== undefined && transaction.state !== 'open') throw new TypeError('this transaction is decided')
    return records.map(({ topic, record, key, value }) => {
      const partitions = this.#of(topic)
      // Which partition a key goes to does not matter, only that it is always the same.
      const partition = (fnv1a(key) >>> 0) % partitions.length
      const entries = partitions[partition]!
      const offset = entries.length
      const delivered: Delivered = { topic, partition, offset, record: record.name, value: structuredClone(value) }
      const entry: Entry = { delivered, state: transaction === undefined ? 'visible' : 'open' }
      entries.push(entry)
      transaction?.writes.push({ topic, partition, entry })
      return { topic, partition, offsetFirst: offset, count: 1 }
    })
  }

  /** Decides a transaction; its markers are still to land. */
  decide(transaction: Transaction, state: 'committed' | 'aborted'): void {
    transaction.state = state
    this.#undecided.push(transaction)
  }

  /** Partitions that wait for the marker of a decided transaction. */
  get markersPending(): { transaction: Transaction; topic: string; partition: number }[] {
    return this.#undecided.flatMap((transaction) => {
      const open = transaction.writes.filter(({ entry }) => entry.state === 'open')
      const names = new Map(open.map(({ topic, partition }) => [`${topic}[${partition}]`, { topic, partition }]))
      return [...names.values()].map((where) => ({ transaction, ...where }))
    })
  }

  landMarker({ transaction, topic, partition }: FaultLog['markersPending'][number]): void {
    for (const write of transaction.writes) {
      if (write.topic !== topic || write.partition !== partition || write.entry.state !== 'open') continue
      write.entry.state = transaction.state === 'committed' ? 'visible' : 'aborted'
    }
    this.#of(topic)[partition]!.push({ delivered: undefined, state: 'aborted' })
    this.#undecided = this.#undecided.filter(({ writes }) => writes.some(({ entry }) => entry.state === 'open'))
  }

  /** Fails halfway, as a broker does not: what was written first stays, the rest is gone. */
  tear(transaction: Transaction, random: Seeded): void {
    const kept = random.below(Math.max(1, transaction.writes.length))
    for (const [i, { entry }] of transaction.writes.entries()) entry.state = i < kept ? 'visible' : 'aborted'
    transaction.state = 'aborted'
  }

  /** The visible records of a partition from an offset on, and where a reader of all of them goes on. */
  read(topic: string, partition: number, from: number): { records: Delivered[]; next: number } {
    const entries = this.#of(topic)[partition]!
    const records: Delivered[] = []
    let next = from
    for (; next < entries.length; next++) {
      const { state, delivered } = entries[next]!
      if (state === 'open') break
      if (state === 'visible') records.push(delivered!)
    }
    return { records, next }
  }

  partitionsOf(topic: string): number {
    return this.#partitions(topic)
  }

  /** All visible records of a topic, partition by partition. */
  records<V = unknown>(topic: string): Delivered<V>[] {
    return this.#of(topic).flatMap((_, partition) => this.read(topic, partition, 0).records) as Delivered<V>[]
  }

  #of(topic: string): Entry[][] {
    const known = this.#topics.get(topic)
    if (known !== undefined) return known
    const partitions: Entry[][] = Array.from({ length: this.#partitions(topic) }, () => [])
    this.#topics.set(topic, partitions)
    return partitions
  }
}
