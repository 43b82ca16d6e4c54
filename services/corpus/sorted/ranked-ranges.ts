import type { Group } from '../../../topologies/selection/groups.ts'
import type { Remaining } from '../../../topologies/selection/plan.ts'
import type { RankedCut, Ranking } from '../../../topologies/selection/ranked.ts'
import type { Seed } from '../../../topologies/selection/u64.ts'
import { emitRanked } from '../emit-ranked.ts'
import { rankedCut } from '../ranked.ts'
import type { RankedSource } from '../ranked-source.ts'
import { rangesSql, sharesAbove, valueFor } from './ranked-reach.ts'

/** Ranked documents in a table sorted by (cell, place). */
export interface SortedSource extends RankedSource {
  /** @param where a condition on cells and places, for the ranges of the table */
  rows(groups: readonly Group[], where?: string): string
  /** Whether all documents of these groups are read sooner than ranges of them are found. */
  areFew(groups: readonly Group[]): boolean
}

/** `Corpus.ranked`; if cells have scores, from the ranges that can hold what is taken. */
export async function rankedInRanges(
  source: SortedSource,
  groups: readonly Group[],
  ranking: Ranking,
  wanted: Remaining,
): Promise<RankedCut> {
  const isByDocuments = 'documents' in wanted
  const amount = isByDocuments ? wanted.documents : wanted.tokens
  for (let more = 1.1; !source.areFew(groups); more *= 4) {
    const expected = Math.ceil(amount * more) + 64
    const value = valueFor(isByDocuments ? { documents: expected } : { tokens: expected }, groups, ranking)
    if (value === null) break
    const cut = await rankedCut(
      above(source, ranking, () => value),
      groups,
      ranking,
      wanted,
    )
    const reached = (isByDocuments ? cut.documents : cut.tokens) >= amount
    // Only then nothing outside the ranges could have been taken instead.
    if (reached && (cut.threshold ?? value) >= value) return cut
  }
  return await rankedCut(source, groups, ranking, wanted)
}

/** `Corpus.emitRanked`, likewise. */
export function emitInRanges(
  source: SortedSource,
  cuts: readonly RankedCut[],
  orderSeed: Seed,
): AsyncIterable<BigUint64Array> {
  const [first] = cuts
  if (first === undefined) return emitRanked(source, cuts, orderSeed)
  const thresholdOf = (groups: readonly Group[]) => cuts.find((cut) => cut.groups === groups)?.threshold ?? null
  return emitRanked(above(source, first.ranking, thresholdOf), cuts, orderSeed)
}

/** The ranges that can hold documents whose g is at least the value given for their groups; null: all. */
function above(
  source: SortedSource,
  ranking: Ranking,
  leastOf: (groups: readonly Group[]) => number | null,
): RankedSource {
  const rows = (groups: readonly Group[]) => {
    const least = source.areFew(groups) ? null : leastOf(groups)
    const shares = least === null ? null : sharesAbove(least, groups, ranking)
    return source.rows(groups, shares === null ? 'true' : rangesSql(shares))
  }
  return { ...source, rows }
}
