import type { Budget, SelectionConfig } from './config.ts'
import type { Amount } from './corpus.ts'
import type { Group } from './groups.ts'
import { type GuardedStratum, guardedStrata, guardStrata } from './guards.ts'
import { guardRules } from './guards-config.ts'
import { naturalShare } from './other-bound.ts'
import { planSelection, type SelectionPlan } from './plan.ts'
import { actorIndex, groupsOfPool } from './pool.ts'
import { sharesOf } from './quotas.ts'
import type { TakenGroup } from './read-selection.ts'
import { readsMost } from './reads.ts'
import { type ScoreOf, scoreOf } from './score.ts'
import { defaultStrategy, type Mixture, type Strategy } from './strategy.ts'

export interface Stratum {
  /** The subcategory of the mixture's actor; null without a mixture, also of the strata of guards, which are in their own order. */
  subcategory: number | null
  groups: Group[]
}

/** What of the groups a round may select from, by stratum, and the score of each group if cells have one. */
export function strataOfRound(
  config: SelectionConfig,
  round: number,
  weights: readonly (readonly number[])[],
  theta: readonly number[],
  all: readonly Group[],
): { strategy: Strategy; strata: Stratum[]; score: ScoreOf } {
  const strategy = config.strategy ?? defaultStrategy
  const most = readsMost(config)
  const unread = all.filter(({ documents, reads }) => documents > 0 && reads < most)
  const pool = groupsOfPool(strategy.pool, config.actors, unread)
  const strata = strataOf(strategy.mixture, config, pool)
  return {
    strategy,
    strata,
    score: strategy.score.kind === 'actors' ? scoreOf(config, round, weights, theta) : () => 0,
  }
}

function strataOf(mixture: Mixture | undefined, config: SelectionConfig, groups: Group[]): Stratum[] {
  const { actors } = config
  const rules = guardRules(config)
  if (rules.length > 0) {
    const { count, of } = guardStrata({ actors }, rules)
    const strata: Stratum[] = Array.from({ length: count }, () => ({ subcategory: null, groups: [] }))
    for (const group of groups) strata[of(group.labels)]!.groups.push(group)
    return strata
  }
  if (mixture === undefined) return [{ subcategory: null, groups }]
  const a = actorIndex(actors, mixture.actor)
  return actors[a]!.subcategories.map((_, subcategory) => ({
    subcategory,
    groups: groups.filter(({ labels }) => labels[a] === subcategory),
  }))
}

/** What is to be taken from each stratum, in the budget's unit. */
export function sharesByStratum(budget: Budget, mixture: Mixture | undefined, held: readonly Amount[]): number[] {
  const holdings = held.map(({ documents, tokens }) => ('tokens' in budget ? tokens : documents))
  const amount = 'tokens' in budget ? budget.tokens : budget.documents
  if (mixture === undefined) return [amount]
  return sharesOf(amount, 'weights' in mixture ? mixture.weights : holdings, holdings)
}

export const quotaOf = (budget: Budget, share: number): Budget =>
  'tokens' in budget ? { tokens: share } : { documents: share }

export function amountOf(groups: readonly Group[]): Amount {
  return {
    documents: groups.reduce((sum, { documents }) => sum + documents, 0),
    tokens: groups.reduce((sum, { tokens }) => sum + tokens, 0),
  }
}

export interface StratumPlan {
  subcategory: number | null
  held: Amount
  /** Infinity: all it holds. */
  share: number
  plan: SelectionPlan
}

export function planByCells(
  config: Pick<SelectionConfig, 'budget' | 'actors' | 'guards' | 'strategy'>,
  { strategy, strata, score }: ReturnType<typeof strataOfRound>,
): StratumPlan[] {
  const held = strata.map(({ groups }) => amountOf(groups))
  const { budget } = config
  const rules = guardRules(config)
  const groupsOf = strata.map(({ groups }) => groups)
  const natural = naturalShare(config)
  const guarded = () => guardedStrata(config, rules, groupsOf, score, natural)
  if (natural > 0) return halves(budget, guarded(), score)
  const shares =
    rules.length > 0 ? guarded().map(({ ranked }) => ranked.quota) : sharesByStratum(budget, strategy.mixture, held)
  return strata.map(({ subcategory, groups }, i) => ({
    ...{ subcategory, held: held[i]!, share: shares[i]! },
    plan: planSelection(groups, score, quotaOf(budget, shares[i]!)),
  }))
}

/** All that is taken by score, by stratum, and then all that is taken naturally: of that every document is as good as any other. */
function halves(budget: Budget, strata: readonly GuardedStratum[], score: ScoreOf): StratumPlan[] {
  const planOf = ({ groups, quota }: GuardedStratum['ranked'], scored: ScoreOf): StratumPlan => ({
    ...{ subcategory: null, held: amountOf(groups), share: quota },
    plan: planSelection(groups, scored, quotaOf(budget, quota)),
  })
  return [
    ...strata.map(({ ranked }) => planOf(ranked, score)),
    ...strata.map(({ natural }) => planOf(natural, () => 0)),
  ]
}

/**
 * The groups that a selection decided by cells has taken.
 * @param keyLasts of each stratum, as recorded: where the level that the budget cuts ends; null: nothing is taken of it
 */
export function takenGroups(plans: readonly StratumPlan[], keyLasts: readonly (bigint | null)[]): TakenGroup[] {
  return plans.flatMap(({ plan: { whole, marginal } }, i) => {
    const keyLast = keyLasts[i] ?? null
    const cut = marginal === null || keyLast === null ? [] : marginal.groups
    return [
      ...whole.map(({ labels, reads }) => ({ labels, reads, keyLast: null })),
      ...cut.map(({ labels, reads }) => ({ labels, reads, keyLast })),
    ]
  })
}
