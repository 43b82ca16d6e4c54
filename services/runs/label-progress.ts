import { setTimeout as sleep } from 'node:timers/promises'
import { DeadLetter, type DocumentId, topics } from '../../schemas/index.ts'
import { labelerStation } from '../../topologies/dataflow.ts'
import { parseId } from '../../topologies/selection/u64.ts'
import type { Config } from '../config/config.ts'
import type { Runtime } from '../connections/connections.ts'
import { countIncomplete, countLabelled, incompleteThoughErased } from '../corpus/label-counts.ts'
import { ClickHouseTextKeys } from '../corpus/text-keys.ts'
import { labelerVersion } from '../labeler/labeler.ts'
import { systemClock } from '../runtime/clock.ts'
import { DecodeError } from '../runtime/codec.ts'
import type { Kafka } from '../runtime/kafka/port.ts'
import { Counter, type Terminal } from '../terminal/progress.ts'
import { missingOfCorpus } from './corpus-members.ts'

export interface LabelProgress {
  /** Documents in ClickHouse. */
  readonly documents: number
  /** Documents with a label of every actor. */
  readonly complete: number
  /** Documents without one, because a labeler rejected them (they are in dead letters), or they were erased before it had read them. */
  readonly refused: number
}

export interface WaitedLabels extends LabelProgress {
  /** Every document of the topic is labelled by every actor and in ClickHouse, or rejected. */
  readonly done: boolean
}

interface WaitOptions {
  readonly signal?: AbortSignal
  readonly terminal?: Terminal
  readonly onProgress?: (progress: LabelProgress) => void
  /** Called once, if nothing moves for some seconds, with the labelers or sinks that are not connected. */
  readonly onMissing?: (sentence: string) => void
  /** A labeler or sink that makes no progress for this long is down or gone: waiting longer does not help. */
  readonly patienceMs?: number
}

const pollMs = 250
const patienceMsDefault = 60_000
const missingAfterMs = 5000
const markersPollMs = 50
const markersMsMax = 5000

/**
 * Waits until every document now in the topic is labelled by every actor and in ClickHouse, or rejected; gives up when stopped, or after
 * `patienceMs` without progress.
 */
export async function waitForLabels(
  runtime: Runtime,
  config: Config,
  options: WaitOptions = {},
): Promise<WaitedLabels> {
  const { signal, terminal, onProgress, onMissing, patienceMs = patienceMsDefault } = options
  const versions = await labelerVersions(config)
  const refusals = new Refusals(runtime)
  const last = await lastOffsets(runtime.kafka, topics.documents.name)
  const shown = terminal && new Counter(terminal, systemClock, { doing: 'labelling', unit: 'documents' })
  let before = ''
  let unchangedMs = 0
  let asked = false
  let progress: LabelProgress = { documents: 0, complete: 0, refused: 0 }
  try {
    while (signal?.aborted !== true && unchangedMs < patienceMs) {
      // Asked before it is counted: what the sink writes in between would be sunk and not counted.
      const sunk = await isSunk(runtime, last)
      const counts = await countDocuments(runtime, versions)
      const moved = JSON.stringify(counts)
      unchangedMs = moved === before ? unchangedMs + pollMs : 0
      before = moved
      // Rejections are read from a topic, so only when nothing else moves.
      const refused = unchangedMs > 0 && counts.complete < counts.documents ? await refusals.count(versions) : 0
      progress = { ...counts, refused }
      onProgress?.(progress)
      shown?.at(progress.complete, progress.documents)
      if (sunk && counts.complete + refused >= counts.documents) return { ...progress, done: true }
      if (onMissing !== undefined && !asked && unchangedMs >= missingAfterMs) {
        asked = true
        const missing = await missingOfCorpus(runtime.kafka, versions)
        shown?.clear()
        if (missing !== undefined) onMissing(missing)
      }
      await sleep(pollMs, undefined, signal === undefined ? {} : { signal }).catch(() => {})
    }
    return { ...progress, done: false }
  } finally {
    shown?.clear()
  }
}

/** The versions of the configured labelers, by actor: which labels a run of this configuration uses. */
export async function labelerVersions(config: Config): Promise<Map<string, string>> {
  const versions = new Map<string, string>()
  for (const actor of config.actors) {
    versions.set(actor.name, await labelerVersion(actor, actor.labeler, config.baseFolder))
  }
  return versions
}

export async function labelProgress(runtime: Runtime, versions: ReadonlyMap<string, string>): Promise<LabelProgress> {
  const counts = await countDocuments(runtime, versions)
  const refused = counts.complete < counts.documents ? await new Refusals(runtime).count(versions) : 0
  return { ...counts, refused }
}

export async function countDocuments(
  runtime: Runtime,
  versions: ReadonlyMap<string, string>,
): Promise<Pick<LabelProgress, 'documents' | 'complete'>> {
  for (const [actor, version] of versions) await runtime.store.ensureColumns(actor, version)
  return await countLabelled(runtime.clickHouse.sql, versions)
}

/** The documents that labelers rejected, according to dead letters; each call reads only what is new since the last one. */
class Refusals {
  readonly #runtime: Runtime
  readonly #ids = new Set<DocumentId>()
  #from: number[] = []

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  /** Those of them that lack a label: a rejected document may have been labelled later, by another version. */
  async count(versions: ReadonlyMap<string, string>): Promise<number> {
    await this.#readOn(this.#runtime, new Set([...versions.keys()].map((actor) => labelerStation(actor).name)))
    for (const id of await this.#unreadable(versions)) this.#ids.add(id)
    return await countIncomplete(this.#runtime.clickHouse.sql, versions, [...this.#ids])
  }

  /** Labelers pass over documents whose keys are destroyed. */
  async #unreadable(versions: ReadonlyMap<string, string>): Promise<DocumentId[]> {
    const { clickHouse, texts } = this.#runtime
    if (texts.masterKeys === undefined) return []
    const erased = await incompleteThoughErased(clickHouse.sql, versions)
    return await new ClickHouseTextKeys(clickHouse.sql).destroyed(erased)
  }

  /** @param labelers names of the stations whose rejections count: dead letters name their writer only so */
  async #readOn({ kafka, codec }: Pick<Runtime, 'kafka' | 'codec'>, labelers: ReadonlySet<string>): Promise<void> {
    for await (const records of kafka.read(topics.deadLetters.name, this.#from)) {
      for (const { partition, offset, value } of records) {
        this.#from[partition] = offset + 1
        if (value === null) continue
        try {
          const { station, key } = await codec.decodeAs(DeadLetter, value)
          const id = key === null ? null : parseId(Buffer.from(key).toString())
          if (labelers.has(station) && id !== null) this.#ids.add(id)
        } catch (error) {
          // Written by somebody else: it does not concern our labelers.
          if (!(error instanceof DecodeError)) throw error
        }
      }
    }
  }
}

/**
 * Where a reader's view ends once the transactions that have just been committed are in it: their markers are written some milliseconds
 * later. One of another client that stays open is not waited for any longer.
 */
async function endsOfTransactions(kafka: Pick<Kafka, 'logsOf'>, topic: string): Promise<number[]> {
  for (let waitedMs = 0; ; waitedMs += markersPollMs) {
    const logs = await kafka.logsOf(topic)
    const settled = logs.every(({ stable, end }) => stable === end)
    if (settled || waitedMs >= markersMsMax) return logs.map(({ stable }) => stable)
    await sleep(markersPollMs)
  }
}

/** The offset of the last record of each partition, -1 if there is none; the end offset also counts markers of transactions. */
async function lastOffsets(kafka: Kafka, topic: string): Promise<number[]> {
  const ends = await endsOfTransactions(kafka, topic)
  const last = ends.map(() => -1)
  for (const [partition, end] of ends.entries()) {
    for (let back = 16; last[partition] === -1 && end > 0; back *= 8) {
      const from = ends.map((otherEnd, other) => (other === partition ? Math.max(0, end - back) : otherEnd))
      for await (const records of kafka.read(topic, from)) last[partition] = records.at(-1)!.offset
      if (back >= end) break
    }
  }
  return last
}

/** Whether the label sink has got past these offsets of the documents' topic. */
async function isSunk({ store }: Runtime, last: readonly number[]): Promise<boolean> {
  const committed = new Map<number, number>()
  for (const { topic, partition, offsetNext } of await store.committed())
    if (topic === topics.documents.name) committed.set(partition, offsetNext)
  return last.every((offset, partition) => (committed.get(partition) ?? 0) > offset)
}
