import { WinnowError } from '../errors.ts'
import type { Budget } from './config.ts'
import type { Group } from './groups.ts'
import type { ScoreOf } from './score.ts'

/** What remains to be taken from the level that the budget cuts. */
export type Remaining = { documents: number } | { tokens: number }

/** The level of equal score that the budget cuts. */
export interface MarginalLevel {
  score: number
  groups: Group[]
  /** Documents of this score. */
  documents: number
  /** How much of it is to be taken, by key. */
  remaining: Remaining
}

/** An exact top-k over the groups, without a score per document. */
export interface SelectionPlan {
  /** Groups taken whole, best score first. */
  whole: Group[]
  wholeDocuments: number
  wholeTokens: number
  marginal: MarginalLevel | null
  /** The lowest selected score; null if nothing is selected. */
  threshold: number | null
}

interface Level {
  score: number
  groups: Group[]
  documents: number
  tokens: number
}

/**
 * Which groups the budget takes whole and which level it cuts (SELECTION.md, "Select"). With `budget.tokens` a level that exactly reaches
 * the budget counts as cut: the shortest prefix may leave out documents of 0 tokens at its end.
 * @param groups that may be selected, each with documents
 * @throws WinnowError BAD_DATA if a score is not a number
 */
export function planSelection(groups: readonly Group[], score: ScoreOf, budget: Budget): SelectionPlan {
  const plan: SelectionPlan = { whole: [], wholeDocuments: 0, wholeTokens: 0, marginal: null, threshold: null }
  for (const level of levelsOf(groups, score)) {
    const remaining = remainingOf(plan, budget)
    if (remaining.amount <= 0) break
    plan.threshold = level.score
    if (cuts(level, remaining)) {
      const { score, groups, documents } = level
      const amount = remaining.amount
      plan.marginal = {
        score,
        groups,
        documents,
        remaining: remaining.unit === 'tokens' ? { tokens: amount } : { documents: amount },
      }
      break
    }
    plan.whole.push(...level.groups)
    plan.wholeDocuments += level.documents
    plan.wholeTokens += level.tokens
  }
  return plan
}

function remainingOf(plan: SelectionPlan, budget: Budget): { unit: 'tokens' | 'documents'; amount: number } {
  return 'tokens' in budget
    ? { unit: 'tokens', amount: budget.tokens - plan.wholeTokens }
    : { unit: 'documents', amount: budget.documents - plan.wholeDocuments }
}

function cuts(level: Level, remaining: { unit: 'tokens' | 'documents'; amount: number }): boolean {
  return remaining.unit === 'tokens' ? level.tokens >= remaining.amount : level.documents > remaining.amount
}

/** The groups merged by numerically equal score (0 and -0 are equal), best first. */
export function levelsOf(groups: readonly Group[], score: ScoreOf): Level[] {
  const levels = new Map<number, Level>()
  for (const group of groups) {
    const value = score(group.labels, group.reads)
    if (Number.isNaN(value)) {
      throw new WinnowError('BAD_DATA', `the score of cell ${group.labels.join(',')} is not a number`, {
        hint: 'Weights or theta have overflowed; look for extreme rewards or initial weights.',
      })
    }
    // A Map's keys compare by SameValueZero, which is numeric equality for everything but NaN.
    const level = levels.get(value) ?? { score: value, groups: [], documents: 0, tokens: 0 }
    level.groups.push(group)
    level.documents += group.documents
    level.tokens += group.tokens
    levels.set(value, level)
  }
  return [...levels.values()].sort((a, b) => (a.score < b.score ? 1 : -1))
}
