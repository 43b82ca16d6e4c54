import { Partitioners } from 'kafkajs'
import { WinnowError } from '../../services/runtime/errors.ts'
import type {
  ConsumeOptions,
  Consumer,
  ConsumerGroup,
  IncomingRecord,
  Kafka,
  OutgoingRecord,
  PartitionLog,
  Place,
  Producer,
  TopicDefinition,
  TraceHeaders,
} from '../../services/runtime/kafka/port.ts'
import { fitsWithTrace, messageBytesDefault } from '../../services/runtime/kafka/record-size.ts'
import { split } from '../../services/runtime/kafka/split.ts'
import type { RecordMetadata } from '../../topologies/node.ts'

interface Slot {
  /** What a reader may see: nothing of an open transaction or after it, nothing of an aborted one, no marker. */
  state: 'committed' | 'open' | 'aborted' | 'marker'
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly trace?: TraceHeaders | undefined
}

/** Throws to make a call fail; called with what is about to happen. */
export interface Faults {
  send?: (records: readonly OutgoingRecord[]) => void
  commitTransaction?: (transactionalId: string) => void
  commitOffset?: (groupId: string, topic: string, partition: number, offsetNext: number) => void
}

/**
 * The Kafka port in memory, for tests: partitions by murmur2, splitting, transactions with the gaps that their markers leave in the offsets,
 * fencing, groups with committed offsets. Every consumer of a group is given its share of the partitions when it joins.
 */
export class FakeKafka implements Kafka {
  readonly faults: Faults = {}
  /** Committed offsets by `group topic[partition]`. */
  readonly committed = new Map<string, number>()
  readonly #topics = new Map<string, { definition: TopicDefinition; partitions: Slot[][] }>()
  readonly #epochs = new Map<string, number>()
  /** How often a topic was deleted. */
  readonly #deleted = new Map<string, number>()
  readonly #members: FakeConsumer[] = []
  readonly #waiting = new Set<() => void>()

  async createTopics(definitions: readonly TopicDefinition[]): Promise<void> {
    for (const definition of definitions) {
      const existing = this.#topics.get(definition.name)?.definition
      if (existing !== undefined && settingsOf(existing) !== settingsOf(definition)) {
        throw new WinnowError('CONFIGURATION', `Topics exist with other settings: ${definition.name}.`)
      }
      if (existing !== undefined) continue
      const partitions = Array.from({ length: definition.partitions }, (): Slot[] => [])
      this.#topics.set(definition.name, { definition, partitions })
    }
  }

  async deleteTopics(names: readonly string[]): Promise<void> {
    for (const name of names) {
      if (!this.#topics.delete(name)) continue
      this.#deleted.set(name, (this.#deleted.get(name) ?? 0) + 1)
      for (const place of [...this.committed.keys()]) if (place.includes(` ${name}[`)) this.committed.delete(place)
    }
  }

  async topicNames(): Promise<string[]> {
    return [...this.#topics.keys()].sort()
  }

  async messageBytesMax(topic: string): Promise<number> {
    return this.#topics.get(topic)?.definition.messageBytesMax ?? messageBytesDefault
  }

  async endOffsets(topic: string): Promise<number[]> {
    return this.partitions(topic).map(endOf)
  }

  async committedOffsets(groupId: string, topic: string): Promise<(number | null)[]> {
    return this.partitions(topic).map((_, partition) => this.committed.get(`${groupId} ${topic}[${partition}]`) ?? null)
  }

  async logsOf(topic: string): Promise<PartitionLog[]> {
    return this.partitions(topic).map((slots, partition) => ({
      topic,
      partition,
      topicId: this.#idOf(topic),
      first: 0,
      stable: endOf(slots),
      end: slots.length,
    }))
  }

  async committedPlaces(groupId: string, topic: string): Promise<(Place | null)[]> {
    const offsets = await this.committedOffsets(groupId, topic)
    return offsets.map((offset) => (offset === null ? null : { offset, topicId: this.#idOf(topic) }))
  }

  /** Another one for a topic that was deleted and created again. */
  #idOf(topic: string): string {
    return `id ${this.#deleted.get(topic) ?? 0} of ${topic}`
  }

  /** It has one leader for ever. */
  async epochEnd(): Promise<number | null> {
    return null
  }

  async consumerGroups(prefix: string): Promise<ConsumerGroup[]> {
    return this.#members
      .filter(({ groupId }) => groupId.startsWith(prefix))
      .map(({ groupId, assigned }) => ({
        groupId,
        state: 'Stable',
        members: [{ client: 'fake', host: 'here', assigned }],
      }))
  }

  async deleteGroups(prefix: string): Promise<void> {
    for (const place of [...this.committed.keys()]) {
      const group = place.slice(0, place.lastIndexOf(' '))
      if (this.#members.some(({ groupId }) => groupId === group)) continue
      if (group.startsWith(prefix)) this.committed.delete(place)
    }
  }

  /** Its clock stands still: everything was written at 0. */
  async writtenAt(topic: string, partition: number, offset: number): Promise<number | null> {
    return this.visible(topic, partition, offset, Number.POSITIVE_INFINITY).length > 0 ? 0 : null
  }

  async producer({ transactionalId }: { transactionalId?: string } = {}): Promise<Producer> {
    const epoch = (this.#epochs.get(transactionalId ?? '') ?? 0) + 1
    if (transactionalId !== undefined) this.#epochs.set(transactionalId, epoch)
    const assertAlive = () => {
      if (transactionalId === undefined || this.#epochs.get(transactionalId) === epoch) return
      throw new WinnowError('FENCED', `Another instance took over as "${transactionalId}"; this one stops.`)
    }
    return {
      send: async (records) => this.#append(records, 'committed').ranges,
      transaction: async (work) => {
        if (transactionalId === undefined) throw new TypeError('no transactional id')
        assertAlive()
        const slots: Slot[] = []
        const touched = new Set<Slot[]>()
        const end = (state: 'committed' | 'aborted') => {
          for (const slot of slots) slot.state = state
          for (const partition of touched) partition.push({ state: 'marker', key: null, value: null })
          this.#wake()
        }
        try {
          const result = await work(async (records) => {
            assertAlive()
            const appended = this.#append(records, 'open')
            slots.push(...appended.slots)
            for (const partition of appended.touched) touched.add(partition)
            return appended.ranges
          })
          assertAlive()
          this.faults.commitTransaction?.(transactionalId)
          end('committed')
          return result
        } catch (error) {
          end('aborted')
          throw error
        }
      },
      close: async () => {},
    }
  }

  async consume(options: ConsumeOptions): Promise<Consumer> {
    for (const topic of options.topics) this.partitions(topic)
    const members = this.#members.filter((member) => member.groupId === options.groupId).length
    const member = new FakeConsumer(this, options, members)
    this.#members.push(member)
    member.start()
    return {
      close: async () => {
        await member.close()
        this.#members.splice(this.#members.indexOf(member), 1)
      },
    }
  }

  async *read(topic: string, from: readonly number[] = []): AsyncGenerator<readonly IncomingRecord[]> {
    const ends = await this.endOffsets(topic)
    for (const [partition, end] of ends.entries()) {
      const records = this.visible(topic, partition, from[partition] ?? 0, end)
      if (records.length > 0) yield records
    }
  }

  async close(): Promise<void> {
    for (const member of [...this.#members]) await member.close()
  }

  /** Everything committed in a topic, in partition and offset order. */
  records(topic: string): IncomingRecord[] {
    return this.partitions(topic).flatMap((slots, partition) => this.visible(topic, partition, 0, endOf(slots)))
  }

  partitions(topic: string): Slot[][] {
    const found = this.#topics.get(topic)
    if (found === undefined) throw new WinnowError('CONFIGURATION', `the topic ${topic} does not exist`)
    return found.partitions
  }

  visible(topic: string, partition: number, start: number, end: number): IncomingRecord[] {
    const slots = this.partitions(topic)[partition] ?? []
    return slots.slice(start, Math.min(end, endOf(slots))).flatMap(({ state, key, value, trace }, i) => {
      const place = { topic, partition, offset: start + i }
      return state === 'committed' ? [{ ...place, key, value, ...(trace !== undefined && { trace }) }] : []
    })
  }

  /** Resolves when anything was written or closed. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve))
  }

  wake(): void {
    this.#wake()
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }

  #append(records: readonly OutgoingRecord[], state: 'committed' | 'open') {
    split(
      records,
      new Map(
        [...this.#topics].map(([name, { definition }]) => [name, definition.messageBytesMax ?? messageBytesDefault]),
      ),
    )
    this.faults.send?.(records)
    const ranges: RecordMetadata[] = []
    const slots: Slot[] = []
    const touched = new Set<Slot[]>()
    for (const record of records) {
      const { topic, key, value, partition: wanted } = record
      const trace = fitsWithTrace(record) ? record.trace : undefined
      const partitions = this.partitions(topic)
      const partition = wanted ?? partitionOf(topic, key, partitions.length)
      const target = partitions[partition]!
      const slot = { state, key: key === null ? null : Buffer.from(key), value: value && Buffer.from(value), trace }
      const last = ranges.findLastIndex((range) => range.topic === topic && range.partition === partition)
      const range = ranges[last]
      if (range === undefined) ranges.push({ topic, partition, offsetFirst: target.length, count: 1 })
      else ranges[last] = { ...range, count: range.count + 1 }
      target.push(slot)
      slots.push(slot)
      touched.add(target)
    }
    this.#wake()
    return { ranges, slots, touched }
  }
}

/** One member of a group: gives the records of its partitions, batch by batch, and commits after each. */
class FakeConsumer {
  readonly groupId: string
  readonly #kafka: FakeKafka
  readonly #options: ConsumeOptions
  readonly #positions = new Map<string, { topic: string; partition: number; offset: number }>()
  #running = true
  #loop: Promise<void> = Promise.resolve()

  constructor(kafka: FakeKafka, options: ConsumeOptions, member: number) {
    this.groupId = options.groupId
    this.#kafka = kafka
    this.#options = options
    for (const topic of options.topics) {
      for (const partition of kafka.partitions(topic).keys()) {
        // A first member has all; fakes do not rebalance, so a later one has none.
        if (member > 0) continue
        const asked = options.startOffset?.(topic, partition)
        const offset = asked ?? kafka.committed.get(`${this.groupId} ${topic}[${partition}]`) ?? 0
        this.#positions.set(`${topic}[${partition}]`, { topic, partition, offset })
      }
    }
  }

  get assigned(): Readonly<Record<string, readonly number[]>> {
    const byTopic = Map.groupBy(this.#positions.values(), ({ topic }) => topic)
    return Object.fromEntries([...byTopic].map(([topic, places]) => [topic, places.map(({ partition }) => partition)]))
  }

  start(): void {
    this.#loop = this.#run()
  }

  async close(): Promise<void> {
    this.#running = false
    this.#kafka.wake()
    await this.#loop
  }

  async #run(): Promise<void> {
    try {
      while (this.#running) {
        const changed = this.#kafka.changed()
        if (!(await this.#deliver())) await changed
      }
    } catch (error) {
      this.#running = false
      this.#options.onFailure(error)
    }
  }

  async #deliver(): Promise<boolean> {
    let delivered = false
    for (const position of this.#positions.values()) {
      if (!this.#running) return true
      const { topic, partition, offset } = position
      const end = endOf(this.#kafka.partitions(topic)[partition] ?? [])
      if (offset >= end) continue
      const records = this.#kafka.visible(topic, partition, offset, end)
      if (records.length > 0) await this.#options.onBatch(records)
      this.#kafka.faults.commitOffset?.(this.groupId, topic, partition, end)
      this.#kafka.committed.set(`${this.groupId} ${topic}[${partition}]`, end)
      position.offset = end
      delivered = true
    }
    return delivered
  }
}

/** Where a read_committed reader stops: at the first record of an open transaction. */
function endOf(slots: readonly Slot[]): number {
  const open = slots.findIndex(({ state }) => state === 'open')
  return open === -1 ? slots.length : open
}

const partitioner = Partitioners.DefaultPartitioner()

function partitionOf(topic: string, key: string | null, count: number): number {
  const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({
    partitionId,
    partitionErrorCode: 0,
    leader: 0,
    replicas: [0],
    isr: [0],
  }))
  return key === null ? 0 : partitioner({ topic, partitionMetadata, message: { key, value: null } })
}

/** What has to be equal where a topic exists. */
const settingsOf = ({ messageBytesMax: _, ...definition }: TopicDefinition): string => JSON.stringify(definition)
