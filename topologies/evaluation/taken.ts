import type { Budget, SelectionConfig } from '../selection/config.ts'
import type { Group } from '../selection/groups.ts'
import { amountOf, planByCells, strataOfRound } from '../selection/strata.ts'

/**
 * Of each group, which share of its documents a selection by cells takes: all, none, or, of the level that the budget cuts, as many as are taken of
 * the level. That is exact but for which documents of that level are drawn, on which a reward does not depend.
 */
export function takenByCells(
  config: SelectionConfig,
  round: number,
  weights: readonly (readonly number[])[],
  theta: readonly number[],
  groups: readonly Group[],
): Float64Array {
  const indexOf = new Map(groups.map((group, g) => [group, g]))
  const taken = new Float64Array(groups.length)
  for (const { plan } of planByCells(config, strataOfRound(config, round, weights, theta, groups))) {
    for (const group of plan.whole) taken[indexOf.get(group)!] = 1
    if (plan.marginal === null) continue
    const { remaining } = plan.marginal
    const level = amountOf(plan.marginal.groups)
    const share = 'tokens' in remaining ? remaining.tokens / level.tokens : remaining.documents / level.documents
    for (const group of plan.marginal.groups) taken[indexOf.get(group)!] = Math.min(1, share)
  }
  return taken
}

/** The share of all documents that these shares of groups come to. */
export function shareOfCorpus(taken: Float64Array, groups: readonly Group[]): number {
  const documents = groups.reduce((sum, group, g) => sum + taken[g]! * group.documents, 0)
  return documents / amountOf(groups).documents
}

/** In common by the documents of all, if both take what is drawn of a level in the same order (Jaccard). */
export function overlapOf(a: Float64Array, b: Float64Array, groups: readonly Group[]): number {
  let common = 0
  let either = 0
  for (const [g, { documents }] of groups.entries()) {
    common += documents * Math.min(a[g]!, b[g]!)
    either += documents * Math.max(a[g]!, b[g]!)
  }
  return either === 0 ? 1 : common / either
}

/** What a budget takes of a corpus without any preference. */
export function randomShare(budget: Budget, groups: readonly Group[]): number {
  const { documents, tokens } = amountOf(groups)
  return Math.min(1, 'tokens' in budget ? budget.tokens / tokens : budget.documents / documents)
}
