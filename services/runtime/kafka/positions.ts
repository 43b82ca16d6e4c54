import { setTimeout as sleep } from 'node:timers/promises'
import { WinnowError } from '../errors.ts'
import type { DamagedBatch } from './checked-fetch.ts'
import { isUnknownTopic } from './failure.ts'
import { afterHole, holeBefore, holeInWords, holeOutOfRange, holeSince, isBehind } from './hole.ts'
import type { ConsumeOptions, Hole, PartitionLog, Place } from './port.ts'

/** What a member asks of Kafka, and how it controls its own reading. */
export interface PositionsPorts {
  logsOf(topic: string): Promise<PartitionLog[]>
  topicIdOf(topic: string): Promise<string | null>
  committedPlaces(topic: string): Promise<(Place | null)[]>
  epochEnd(topic: string, partition: number, leaderEpoch: number): Promise<number | null>
  seek(topic: string, partition: number, offset: number): void
  pause(topic: string, partition: number): void
  resume(topic: string, partition: number): void
  /** Commits the partition's position for the group. */
  commit(held: Held): void
  /** Stops the consumer with this error. */
  fail(error: unknown): void
}

/** A partition assigned to this member. */
export interface Held {
  readonly topic: string
  readonly partition: number
  /** The member's own answer, not the group's offset, says where it begins. */
  readonly own: Place | undefined
  /** The next offset expected; undefined until settled. */
  place: Place | undefined
  /** Before a hole: nothing is read until a person has decided. */
  waiting: boolean
  readonly settled: PromiseWithResolvers<void>
  /** The offset that a fetch has skipped to once. */
  skippedTo?: number
}

type Watched = Pick<
  ConsumeOptions,
  'topics' | 'startOffset' | 'floorOffset' | 'isKeptWhole' | 'onHole' | 'recorded' | 'onPlace'
>

const retryMsFirst = 100
const retryMsMax = 5000
/** Half a minute. */
const unknownTopicAttemptsMax = 11

/**
 * A group member's position in each of its partitions, and the id of its topic: looked up on every join, compared with the log as it is then,
 * and advanced batch by batch. A hole in the log (see `Hole`) stops its partition; the others continue.
 */
export class Positions {
  readonly #ports: PositionsPorts
  readonly #options: Watched
  #held = new Map<string, Held>()
  /** Partitions whose floor offset was already looked up; kept while they are assigned. */
  #asked = new Set<string>()
  #joined = new AbortController()

  constructor(options: Watched, ports: PositionsPorts) {
    this.#options = options
    this.#ports = ports
  }

  /** After a rebalance. Returns at once; each partition's `settled` resolves when its position is known. */
  join(assigned: Readonly<Record<string, readonly number[]>>): void {
    const before = this.#held
    this.close()
    this.#joined = new AbortController()
    this.#held = new Map()
    for (const [topic, partitions] of Object.entries(assigned)) {
      for (const partition of partitions) {
        const own = before.get(nameOf(topic, partition))?.own && before.get(nameOf(topic, partition))?.place
        const start = own === undefined ? this.#options.startOffset?.(topic, partition) : undefined
        const place = own ?? (start === undefined ? undefined : { offset: start, topicId: null })
        const held = {
          topic,
          partition,
          own: place,
          place: undefined,
          waiting: false,
          settled: Promise.withResolvers<void>(),
        }
        this.#held.set(nameOf(topic, partition), held)
        this.#ports.resume(topic, partition)
        if (place !== undefined) this.#ports.seek(topic, partition, place.offset)
      }
    }
    this.#asked = new Set([...this.#asked].filter((name) => this.#held.has(name)))
    const { signal } = this.#joined
    void this.#persistently(() => this.#settle(signal), signal).catch((error: unknown) => {
      if (!signal.aborted) this.#ports.fail(error)
    })
  }

  of(topic: string, partition: number): Held | undefined {
    return this.#held.get(nameOf(topic, partition))
  }

  /** Everything before `offset` is done. @param last the last record of it; omitted: there was none */
  advance(held: Held, offset: number, last?: Required<Pick<Place, 'afterRecord' | 'leaderEpoch'>>): void {
    if (held.place !== undefined) held.place = { ...held.place, ...last, offset }
  }

  /**
   * To be awaited before records are delivered: a new leader may not have had the last records that were read, and others are in their place.
   * @param epochs of the leaders that wrote the first and the last of them @returns whether they follow those read before
   */
  async follows(held: Held, epochs: { readonly first: number; readonly last: number }): Promise<boolean> {
    const { topic, partition, place } = held
    if (place === undefined) return false
    if (place.leaderEpoch === epochs.last) return true
    const isNew = place.leaderEpoch !== undefined && place.leaderEpoch !== epochs.first
    const log = isNew ? (await this.#ports.logsOf(topic))[partition] : undefined
    const hole = log && (holeBefore(place, log) ?? (await holeSince(place, log, this.#ports.epochEnd)))
    if (this.of(topic, partition) !== held || held.waiting) return false
    if (hole === undefined) await this.#options.onPlace?.(topic, partition, { ...place, leaderEpoch: epochs.last })
    else this.#meet(held, hole)
    return hole === undefined
  }

  /** The place up to which the log must be what it was: that of the group, or what is recorded where it does not say of which log it is. */
  #evidence({ topic, partition }: Held, place: Place): Place {
    const recorded = place.topicId === null ? this.#options.recorded?.(topic, partition) : undefined
    if (recorded === undefined) return place
    // The records before an offset that a station keeps itself are of no later epoch than the last one recorded.
    const afterRecord = Math.max(recorded.afterRecord ?? recorded.offset, place.afterRecord ?? place.offset)
    return { ...recorded, offset: afterRecord, afterRecord }
  }

  /**
   * Whether a fetch that begins at `first` misses records of a topic that keeps all of them. The fetch is repeated once; if the result is the
   * same, there is a hole in the middle of the log.
   */
  skips(held: Held, first: number): boolean {
    const { topic, partition, place, skippedTo } = held
    if (place === undefined || first <= place.offset || this.#options.isKeptWhole?.(topic) !== true) return false
    if (skippedTo !== first) {
      held.skippedTo = first
      this.#ports.seek(topic, partition, place.offset)
    } else {
      const { offset: from, topicId } = place
      this.#meet(held, { topic, partition, topicId, reason: 'deleted', from, to: first })
    }
    return true
  }

  /** A broker says that the requested offset is not in the log. */
  async outOfRange(topic: string, partition: number): Promise<void> {
    const held = this.of(topic, partition)
    if (held === undefined) return
    const { signal } = this.#joined
    await Promise.race([held.settled.promise, aborted(signal)])
    const { place } = held
    if (signal.aborted || held.waiting || place === undefined) return
    const log = (await this.#ports.logsOf(topic))[partition]
    if (signal.aborted || log === undefined) return
    if (place.offset >= log.first && place.offset <= log.end && holeBefore(place, log) === undefined)
      return this.#ports.seek(topic, partition, place.offset)
    const lost = await holeSince(place, log, this.#ports.epochEnd)
    if (!signal.aborted && !held.waiting) this.#meet(held, lost ?? holeOutOfRange(place, log))
  }

  /** The batch where the next record is expected cannot be read. */
  async damaged(batch: DamagedBatch): Promise<void> {
    const { topic, partition, from, to } = batch.place
    const held = this.of(topic, partition)
    if (this.#options.onHole === undefined) return this.#ports.fail(batch)
    if (held === undefined) return
    const { signal } = this.#joined
    await Promise.race([held.settled.promise, aborted(signal)])
    if (signal.aborted || held.waiting || held.place === undefined) return
    this.#meet(held, { topic, partition, topicId: held.place.topicId, reason: 'damaged', from, to })
  }

  /** Checks whether the topics are still the same ones: a recreated topic may well have the offset. */
  async lookAgain(): Promise<void> {
    const { signal } = this.#joined
    for (const topic of this.#options.topics) {
      const id = await this.#ports.topicIdOf(topic)
      const reading = [...this.#held.values()].filter((held) => held.topic === topic && held.place && !held.waiting)
      if (signal.aborted || reading.every(({ place }) => place?.topicId === id || place?.topicId === null)) continue
      const logs = await this.#ports.logsOf(topic)
      for (const held of reading) {
        const log = logs[held.partition]
        const hole = log && !signal.aborted && !held.waiting && held.place && holeBefore(held.place, log)
        if (hole) this.#meet(held, hole)
      }
    }
  }

  close(): void {
    this.#joined.abort()
    for (const { settled } of this.#held.values()) settled.resolve()
  }

  async #settle(signal: AbortSignal): Promise<void> {
    for (const [topic, partitions] of Map.groupBy(this.#held.values(), (held) => held.topic)) {
      const [logs, committed] = await Promise.all([
        this.#ports.logsOf(topic),
        partitions.every(({ own }) => own !== undefined) ? [] : this.#ports.committedPlaces(topic),
      ])
      for (const held of partitions) {
        const log = logs[held.partition]
        if (held.place !== undefined || held.waiting) continue
        // Assigned by the group's leader, and not yet known to the broker that was asked.
        if (log === undefined) throw new WinnowError('UNREACHABLE', `${topic} has no partition ${held.partition} yet`)
        const beginning = { offset: this.#options.isKeptWhole?.(topic) ? 0 : log.first, topicId: null }
        const found = held.own ?? committed[held.partition] ?? beginning
        const place = await this.#notDone(held, found)
        if (signal.aborted) return
        const evidence = this.#evidence(held, found)
        const hole = holeBefore(place, log) ?? (await holeSince(evidence, log, this.#ports.epochEnd))
        if (signal.aborted) return
        const known = { ...place, topicId: log.topicId }
        if (hole === undefined) await this.#options.onPlace?.(topic, held.partition, known)
        if (signal.aborted) return
        if (hole !== undefined) this.#meet(held, hole, place.offset)
        else held.place = known
        if (hole === undefined && place !== found) this.#ports.seek(topic, held.partition, place.offset)
        // Observers know a member of an ephemeral group only by what it has committed.
        if (hole === undefined && held.own !== undefined) this.#ports.commit(held)
        held.settled.resolve()
      }
    }
  }

  /** The position itself, or an earlier one from which on not everything is done. */
  async #notDone(held: Held, place: Place): Promise<Place> {
    const { topic, partition } = held
    const { floorOffset } = this.#options
    if (floorOffset === undefined || this.#asked.has(nameOf(topic, partition))) return place
    const offset = await floorOffset(topic, partition)
    this.#asked.add(nameOf(topic, partition))
    return isBehind(offset, place) ? { offset, topicId: place.topicId } : place
  }

  /** @param offset where the partition would be read from, were there no hole */
  #meet(held: Held, hole: Hole, offset = held.place?.offset ?? hole.from): void {
    const { topic, partition } = held
    const { signal } = this.#joined
    held.waiting = true
    this.#ports.pause(topic, partition)
    const reached = (offset: number) => {
      if (signal.aborted) return
      held.place = { offset, topicId: hole.topicId }
      this.#ports.commit(held)
    }
    const decided = this.#options.onHole?.(hole, signal, reached) ?? Promise.reject(holeError(hole))
    void decided.then(
      () => {
        if (signal.aborted) return
        held.place = { offset: afterHole(hole, offset), topicId: hole.topicId }
        held.waiting = false
        this.#ports.seek(topic, partition, held.place.offset)
        this.#ports.resume(topic, partition)
        this.#ports.commit(held)
      },
      (error: unknown) => {
        if (!signal.aborted) this.#ports.fail(error)
      },
    )
  }

  /**
   * While the broker is away a member waits for as long as it takes, as with its fetches; for a deleted topic, a while, in which it may be
   * recreated.
   */
  async #persistently(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    let attempts = 0
    for (let waitMs = retryMsFirst; !signal.aborted; waitMs = Math.min(retryMsMax, waitMs * 2)) {
      try {
        return await work()
      } catch (error) {
        const passing =
          (error instanceof WinnowError && error.code === 'UNREACHABLE') ||
          (isUnknownTopic(error) && ++attempts < unknownTopicAttemptsMax)
        if (!passing) throw error
        await sleep(waitMs, undefined, { signal }).catch(() => {})
      }
    }
  }
}

const nameOf = (topic: string, partition: number): string => `${topic}[${partition}]`

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

const holeError = (hole: Hole): WinnowError =>
  new WinnowError('BAD_DATA', `${holeInWords(hole)}.`, { hint: 'Start again from an offset that the topic has.' })
