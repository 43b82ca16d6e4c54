import type { RewardTransform } from './config.ts'
import type { Price } from './price-config.ts'
import { isAcceptable } from './rewards.ts'

/** Which rewards a run accepts, and what of them counts. */
export interface RewardRules {
  readonly rewardTransform: RewardTransform
  /** Left out: rewards count as they are. */
  readonly price?: Price | undefined
}

/**
 * What counts of a reward.
 * @param other the reward of the document on other text; null or undefined: there is none
 * @returns why it is bad input, if it is
 */
export function countedReward(
  { rewardTransform, price }: RewardRules,
  reward: number,
  other: number | null | undefined,
): number | 'not-finite' | 'unpriced' {
  if (price !== undefined && (typeof other !== 'number' || !Number.isFinite(other))) return 'unpriced'
  const counted = price === undefined ? reward : reward - price.weight * Math.max(0, -other! - price.bound)
  return isAcceptable(rewardTransform, counted) ? counted : 'not-finite'
}
