import type { RunConfig } from '../../topologies/run-config.ts'
import { type Reader, readersOf, type StationLag } from '../runs/lag.ts'
import { Rates } from '../runs/rates.ts'
import { isOfGroup } from '../runtime/consumer-groups.ts'
import type { ConsumerGroup } from '../runtime/kafka/port.ts'
import { sumOf } from '../runtime/lag.ts'
import type { StationActivity } from './shape.ts'

/** Groups of a station: its own, or the ephemeral ones of its instances. */
export const isOfStation =
  ({ group }: Pick<Reader, 'group'>) =>
  ({ groupId }: Pick<ConsumerGroup, 'groupId'>): boolean =>
    isOfGroup(groupId, group)

interface Seen {
  readonly runs: readonly RunConfig[]
  /** The version of the recorded evaluation sets; left out: there are none. */
  readonly evalSets?: string | undefined
  readonly groups: readonly ConsumerGroup[]
  /** The next offset of each partition, by topic. */
  readonly ends: ReadonlyMap<string, readonly number[]>
  readonly lag: readonly StationLag[]
}

/** Who is connected, who was, and how much each does: from what brokers say of consumer groups. */
export class StationWatch {
  readonly #rates = new Rates()
  #lastSeenMs = new Map<string, number>()

  look(atMs: number, { runs, evalSets, groups, ends, lag }: Seen): StationActivity[] {
    const readers = readersOf({ runs, evalSets })
    const lastSeenMs = new Map<string, number>()
    const perSecond = this.#rates.of(atMs, doneOf(ends, lag))
    const activity = readers.map((reader): StationActivity => {
      const { run, station, group } = reader
      const members = sumOf(groups.filter(isOfStation(reader)).map((one) => one.members.length))
      const seenMs = members > 0 ? atMs : this.#lastSeenMs.get(group)
      if (seenMs !== undefined) lastSeenMs.set(group, seenMs)
      const rate = perSecond(keyOf({ run, station }))
      return {
        run,
        station,
        members,
        lastSeenMs: members > 0 ? null : (seenMs ?? null),
        perSecond: rate === undefined ? null : Math.max(0, Math.round(rate * 10) / 10),
      }
    })
    this.#lastSeenMs = lastSeenMs
    // Ingest reads files.
    return activity.filter((_, i) => readers[i]!.reads.length > 0)
  }
}

const keyOf = ({ run, station }: { run: string | null; station: string }): string => `${run ?? ''} ${station}`

/** Records before what each station has committed, of all topics that it reads. */
function doneOf(ends: ReadonlyMap<string, readonly number[]>, lag: readonly StationLag[]): Map<string, number> {
  const done = new Map<string, number>()
  for (const { run, station, topic, partitions } of lag) {
    const behind = sumOf(ends.get(topic) ?? []) - sumOf(partitions)
    const key = keyOf({ run, station })
    done.set(key, (done.get(key) ?? 0) + behind)
  }
  return done
}
