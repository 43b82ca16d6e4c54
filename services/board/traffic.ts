import type { Runtime } from '../host/runtime.ts'
import { groupIdOf } from '../runtime/station.ts'
import type { FollowedRun } from './model.ts'
import type { Traffic } from './shape.ts'

/** Rates are over this long: short enough to see a round begin, long enough not to flicker. */
const windowMs = 10_000

/** Topic sizes over time, and how far behind the stations' consumer groups are. */
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

/** What each station's group has not committed. Stations that keep their place elsewhere (the trainer, ingest) have none. */
export async function lagOf(
  kafka: Runtime['kafka'],
  runs: readonly FollowedRun[],
  ends: ReadonlyMap<string, readonly number[]>,
): Promise<Traffic['lag']> {
  const asked = runs.flatMap(({ config, model }) =>
    model.info.stations.flatMap(({ name, reads }) => {
      const group = groupOf(name, config.name, config.labelers)
      return group === undefined ? [] : reads.map((topic) => ({ run: config.name, station: name, topic, group }))
    }),
  )
  const found = await Promise.all(
    asked.map(async ({ run, station, topic, group }) => {
      const topicEnds = ends.get(topic)
      if (topicEnds === undefined) return []
      const committed = await kafka.committedOffsets(group, topic)
      if (committed.every((offset) => offset === null)) return []
      const partitions = topicEnds.map((end, partition) => Math.max(0, end - (committed[partition] ?? 0)))
      return [{ run, station, topic, partitions }]
    }),
  )
  return found.flat()
}

function groupOf(station: string, run: string, labelers: Readonly<Record<string, string>>): string | undefined {
  if (station === 'ingest' || station === 'trainer') return undefined
  if (station === 'label sink') return groupIdOf(station)
  const actor = /^labeler (.+)$/.exec(station)?.[1]
  if (actor !== undefined) return groupIdOf(`${station} ${labelers[actor]}`)
  return groupIdOf(station, run)
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0)
