import type { Failpoint } from '../../services/runtime/failpoints.ts'
import { Seeded } from '../support/seeded.ts'

/** Another seed is another set of visits. `npm run soak` sets both: with WINNOW_FAULT_SOAK every case runs its soak count. */
export const seed = Number(process.env.WINNOW_FAULT_SEED ?? 1)
const soaking = process.env.WINNOW_FAULT_SOAK === '1'

/** How often something is done in a run of all tests, and how often in a soak. */
export interface Counts {
  readonly landing: number
  readonly soak: number
}

export interface Crash {
  readonly point: Failpoint
  /** Which time the new process reaches the point, from 1 on. */
  readonly visit: number
}

export interface Case {
  /** One after the other, each in the process that follows the one that was killed before. */
  readonly crashes: readonly Crash[]
  /** Says how to repeat the case. */
  readonly name: string
}

/** Landing tries are one case; a soak repeats it with other visits until it has its count. */
export const repeatsOf = ({ landing, soak }: Counts): number => (soaking ? Math.ceil(soak / landing) : 1)

/** A source of choices that depends on the seed and on what it is for. */
export function seededFor(purpose: string): Seeded {
  let hash = seed
  for (const character of purpose) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193)
  return new Seeded(hash)
}

/**
 * @param counts kills at each point
 * @param points each with the sum of visits that an undisturbed run is sure to have, and that the kills of a case may use up
 */
export function casesOf(station: string, counts: Counts, points: Readonly<Partial<Record<Failpoint, number>>>): Case[] {
  return Object.entries(points).flatMap(([point, visits]) =>
    Array.from({ length: repeatsOf(counts) }, (_, repeat) => {
      const random = seededFor(`${station}/${point}/${repeat}`)
      let spare = visits! - counts.landing
      const crashes = Array.from({ length: counts.landing }, () => {
        const more = random.below(1 + Math.min(2, spare))
        spare -= more
        return { point: point as Failpoint, visit: 1 + more }
      })
      const places = crashes.map(({ visit }) => visit).join(', ')
      return { crashes, name: `${point} (visits ${places}; WINNOW_FAULT_SEED=${seed}, ${repeat})` }
    }),
  )
}
