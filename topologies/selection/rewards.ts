import type { DocumentId } from '../../schemas/index.ts'
import type { RewardTransform } from './config.ts'
import { exp } from './exp.ts'
import { compareIds } from './u64.ts'

/** An accepted reward of an actor, for a document of `subcategory`. */
export interface DocumentReward {
  documentId: DocumentId
  subcategory: number
  reward: number
  /** See `RewardColumns`. */
  labels?: readonly number[]
}

/** An actor's accepted rewards of one round, by ascending document id: the order of all sums. */
export interface RewardColumns {
  /** Subcategory of each rewarded document. */
  subcategories: ArrayLike<number>
  rewards: ArrayLike<number>
  /** Of each rewarded document its subcategory for every actor, in configuration order; `collaboration: joint` alone needs them. */
  labels?: ArrayLike<ArrayLike<number>> | undefined
  /** How many documents each of the actor's subcategories held when the round opened; likewise. */
  held?: ArrayLike<number> | undefined
}

/** The first reward of each document in order of arrival, then ordered by document id. */
export function rewardColumns(arrived: Iterable<DocumentReward>): RewardColumns {
  const first = new Map<DocumentId, DocumentReward>()
  for (const reward of arrived) if (!first.has(reward.documentId)) first.set(reward.documentId, reward)
  const ordered = [...first.values()].sort((a, b) => compareIds(a.documentId, b.documentId))
  return {
    subcategories: ordered.map((r) => r.subcategory),
    rewards: ordered.map((r) => r.reward),
    ...(ordered.some((r) => r.labels !== undefined) && { labels: ordered.map((r) => r.labels!) }),
  }
}

/**
 * How a raw reward of this round becomes the r of Eq. 4 (SELECTION.md, "Actors"). `standardize` needs the whole round.
 * @param actors raw rewards of the round, by actor in configuration order, documents ascending within one
 */
export function rewardTransform(
  transform: RewardTransform,
  actors: readonly ArrayLike<number>[],
): (raw: number) => number {
  switch (transform.kind) {
    case 'identity':
      return (raw) => raw
    case 'exp':
      return (raw) => exp(transform.scale * raw)
    case 'standardize': {
      const { mean, deviation } = meanAndDeviation(actors)
      return deviation === 0 ? () => 0 : (raw) => (raw - mean) / deviation
    }
  }
}

/**
 * Whether a reward is finite and stays so when transformed (SELECTION.md, "Precisions"); otherwise it is bad input. Under `standardize` that
 * depends on the whole round, and a result that is not finite ends the run when the round is folded.
 */
export function isAcceptable(transform: RewardTransform, raw: number): boolean {
  return Number.isFinite(raw) && (transform.kind !== 'exp' || Number.isFinite(exp(transform.scale * raw)))
}

/** Mean and population standard deviation in two passes, in the order given. */
function meanAndDeviation(columns: readonly ArrayLike<number>[]): { mean: number; deviation: number } {
  let count = 0
  let sum = 0
  for (const column of columns) {
    for (let i = 0; i < column.length; i++) sum += column[i]!
    count += column.length
  }
  if (count === 0) return { mean: 0, deviation: 0 }
  const mean = sum / count
  let squares = 0
  for (const column of columns) {
    for (let i = 0; i < column.length; i++) {
      const difference = column[i]! - mean
      squares += difference * difference
    }
  }
  return { mean, deviation: Math.sqrt(squares / count) }
}
