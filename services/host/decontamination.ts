import { setTimeout as sleep } from 'node:timers/promises'
import { type TopicOffset, topics } from '../../schemas/index.ts'
import type { ConsolePorts } from '../../topologies/console/ports.ts'
import { decontaminationStation as station } from '../../topologies/dataflow.ts'
import type { EvalSets } from '../../topologies/decontamination/sets.ts'
import type { Runtime } from '../connections/connections.ts'
import { readingStation } from '../corpus/readable.ts'
import { systemClock } from '../runtime/clock.ts'
import { consumerGroupOf, ephemeralGroup, groupNamed } from '../runtime/consumer-groups.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { Service } from '../runtime/service.ts'
import { runStation, type StationHandle } from '../runtime/station.ts'
import { everyTick } from '../runtime/ticks.ts'
import { FollowedEvalSets, filterOf } from './eval-sets.ts'
import { documentsInClickHouse } from './refill.ts'

/** How often new evaluation sets are looked for. */
const lookMs = 1000

/** Enough that the fetches of a batch cost less than comparing it. */
const batchBytesMax = 2 * 1024 * 1024

const groupOf = (version: string): string => consumerGroupOf(station, { versions: { 'eval-sets': version } })

const watchGroup = groupNamed('decontamination sets')

/** Whether a process compares documents, or will once there are evaluation sets; undefined: we may not see it. */
export async function isThere({ kafka }: Pick<Runtime, 'kafka'>): Promise<boolean | undefined> {
  const groups = await kafka.consumerGroups(`${watchGroup}.`).catch(() => undefined)
  return groups === undefined ? undefined : groups.length > 0
}

/**
 * Compares documents with the recorded evaluation sets, while there are any: all documents again after a set was added, those that come with all sets. Several
 * processes share the partitions.
 */
export async function startDecontamination(runtime: Runtime, onFailure: (error: unknown) => void): Promise<Service> {
  const { log } = runtime
  const followed = new FollowedEvalSets(runtime)
  let running: { readonly sets: string; readonly handle: StationHandle } | undefined

  const start = async (recorded: EvalSets, version: string, sets: string): Promise<void> => {
    const filter = filterOf(recorded)
    log.info({ sets: recorded.active.map(({ name }) => name), items: filter.items, version }, 'decontamination starts')
    const handle = await runStation({
      ...{ ...runtime, station, batchBytesMax, onFailure },
      build: readingStation(station.name, runtime, (output) => station.build({ filter, now: systemClock }, output)),
      groupId: groupOf(version),
      refill: documentsInClickHouse(runtime),
    })
    running = { sets, handle }
  }
  const look = async (): Promise<void> => {
    const recorded = await followed.now()
    const { version } = recorded
    // A set that was removed is looked for no more, in the same group: what was compared stays so.
    const sets = JSON.stringify([version, ...recorded.active.map(({ name }) => name)])
    if (sets === running?.sets) return
    await running?.handle.close()
    running = undefined
    if (version !== undefined) await start(recorded, version, sets)
  }

  // Without sets there is no station yet: by this group others see that there will be one once there are (`isThere`).
  const seen = await runtime.kafka.consume({
    ...{ groupId: ephemeralGroup(watchGroup), topics: [topics.evalSets.name], onBatch: async () => {}, onFailure },
  })
  let looking = look()
  await looking.catch(async (error: unknown) => {
    await seen.close()
    throw error
  })
  const stop = everyTick(
    lookMs,
    () => {
      looking = look()
      return looking
    },
    (error) => log.warn({ err: error }, 'looking for evaluation sets failed, it is tried again'),
  )
  return {
    name: station.name,
    close: async () => {
      stop()
      await looking.catch(() => {})
      await running?.handle.close()
      await seen.close()
    },
  }
}

/** How many moments are remembered whose exclusions the label sink has still to take in. */
const momentsMax = 64

/** How far documents have been compared with all recorded sets, with what was found of them in the store, for a run's console. */
export function checkedBy(runtime: Pick<Runtime, 'kafka' | 'codec' | 'store'>): NonNullable<ConsolePorts['checked']> {
  const { kafka, store } = runtime
  const followed = new FollowedEvalSets(runtime)
  const { name: documents } = topics.documents
  const { name: exclusions } = topics.exclusions
  let version: string | undefined
  /** Up to where documents were compared at some time, and up to where their exclusions stood in the log then. */
  let moments: { readonly read: readonly TopicOffset[]; readonly ends: readonly number[] }[] = []
  return async () => {
    const now = (await followed.now()).version
    if (now !== version) moments = []
    version = now
    if (version === undefined) return undefined
    const offsets = await kafka.committedOffsets(groupOf(version), documents)
    // Asked after them: what was written before they were committed is before these ends.
    const ends = await kafka.endOffsets(exclusions)
    const read = offsets.map((offset, partition) => ({ topic: documents, partition, offsetNext: offset ?? 0 }))
    moments.push({ read: read as TopicOffset[], ends })
    const sunk = new Map<number, number>()
    for (const { topic, partition, offsetNext } of await store.committed())
      if (topic === exclusions) sunk.set(partition, offsetNext)
    const last = moments.findLastIndex((one) => one.ends.every((end, partition) => (sunk.get(partition) ?? 0) >= end))
    if (last === -1) {
      moments = moments.slice(-momentsMax)
      return []
    }
    moments = moments.slice(last)
    return moments[0]!.read
  }
}

/** The share of all documents that have been compared with these sets. */
export async function checkedOf({ kafka }: Pick<Runtime, 'kafka'>, { version }: EvalSets): Promise<number> {
  if (version === undefined) return 1
  const { name } = topics.documents
  const [ends, read] = await Promise.all([kafka.endOffsets(name), kafka.committedOffsets(groupOf(version), name)])
  const total = ends.reduce((sum, end) => sum + end, 0)
  const done = ends.reduce((sum, end, partition) => sum + Math.min(end, read[partition] ?? 0), 0)
  return total === 0 ? 1 : done / total
}

/** Waits until the label sink has taken in the exclusions that are recorded now. @throws WinnowError UNREACHABLE if it does not for a minute */
export async function untilSunk({ kafka, store }: Pick<Runtime, 'kafka' | 'store'>): Promise<void> {
  const { name } = topics.exclusions
  const ends = await kafka.endOffsets(name)
  for (let waitedMs = 0; waitedMs < sunkMsMax; waitedMs += sunkPollMs) {
    const places = (await store.committed()).filter(({ topic }) => topic === name)
    const sunk = new Map(places.map(({ partition, offsetNext }) => [partition as number, offsetNext as number]))
    if (ends.every((end, partition) => (sunk.get(partition) ?? 0) >= end)) return
    await sleep(sunkPollMs)
  }
  throw new WinnowError('UNREACHABLE', 'the label sink has not taken in what was recorded', {
    hint: 'It is recorded, and holds once the label sink runs: winnow up, or winnow run label-sink. The same again shows the receipt.',
  })
}

const sunkPollMs = 50
const sunkMsMax = 60_000
