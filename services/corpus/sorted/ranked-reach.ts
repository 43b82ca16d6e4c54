import type { Group } from '../../../topologies/selection/groups.ts'
import type { Remaining } from '../../../topologies/selection/plan.ts'
import type { Ranking } from '../../../topologies/selection/ranked.ts'
import type { Seed } from '../../../topologies/selection/u64.ts'
import { isAmong } from './among-sql.ts'
import { reachOf, stretchesSql } from './stretches.ts'

/**
 * Where scores are constant on a group, g = S / t + G(key) falls as the key grows, so that the documents of a group above a value of g are those
 * up to a key: ranges of a table sorted by place (SELECTION.md, "Strategies").
 */
export interface Shares {
  readonly seed: Seed
  /** Of each group, the share of keys, from 0 upwards, that holds all documents above the value, and a little more. */
  readonly of: readonly { readonly group: Group; readonly share: number }[]
}

/** How far from the exact shares: beyond all rounding. */
const margin = 1e-6

/** The shares above a value of g; null if it is not cells that decide the score. */
export function sharesAbove(value: number, groups: readonly Group[], ranking: Ranking): Shares | null {
  const noiseless = noiselessOf(groups, ranking)
  if (noiseless === null) return null
  const of = groups.map((group, i) => ({ group, share: Math.min(1, shareAbove(value - noiseless[i]!) * (1 + margin)) }))
  return { seed: ranking.seed, of }
}

/**
 * A value of g above which about so much is to be expected: groups hold documents of all keys alike.
 * @returns null if it is not cells that decide the score, or if all of them may be needed
 */
export function valueFor(wanted: Remaining, groups: readonly Group[], ranking: Ranking): number | null {
  const noiseless = noiselessOf(groups, ranking)
  if (noiseless === null || groups.length === 0) return null
  const [unit, amount] =
    'documents' in wanted ? (['documents', wanted.documents] as const) : (['tokens', wanted.tokens] as const)
  const above = (value: number) =>
    groups.reduce((sum, group, i) => sum + group[unit] * shareAbove(value - noiseless[i]!), 0)
  let [low, high] = [Math.min(...noiseless) - 4, Math.max(...noiseless) + 46]
  if (above(low) < amount) return null
  for (let halving = 0; halving < 100; halving++) {
    const middle = low + (high - low) / 2
    if (above(middle) >= amount) low = middle
    else high = middle
  }
  return low
}

/**
 * The part of the table that may hold them, for its index alone: rows beside the ranges may come as well, and are not tested one by one. Groups of
 * about the same share are together, so that the ranges stay few.
 */
export function rangesSql({ seed, of }: Shares): string {
  const least = -4
  const classes = Map.groupBy(of, ({ share }) => Math.max(least, Math.ceil(Math.log2(share) / 2)))
  const parts = [...classes.values()].map((members) => {
    const reach = reachOf(Math.max(...members.map(({ share }) => share)))
    return `(${isAmong(members.map(({ group }) => ({ ...group, reads: 0 })))} AND ${stretchesSql('place', seed, reach)})`
  })
  return `indexHint(${parts.join(' OR ')})`
}

/** P(G > value) = 1 - exp(-exp(-value)). */
const shareAbove = (value: number): number => -Math.expm1(-Math.exp(-value))

/** S / t of each group. */
function noiselessOf(groups: readonly Group[], { score, sampler, conditions }: Ranking): number[] | null {
  if (typeof score !== 'function' || sampler.kind === 'top' || conditions.length > 0) return null
  const values = groups.map(({ labels, reads }) => score(labels, reads) / sampler.temperature)
  return values.every(Number.isFinite) ? values : null
}
