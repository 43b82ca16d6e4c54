import { Uniforms } from '../fits/uniforms.ts'
import type { Seed } from '../selection/u64.ts'
import { Resampler } from './resample.ts'
import type { EvaluationSample } from './sample.ts'

/** What a choice of documents takes. */
export type Taken =
  /** Of each group, which share of its documents. */
  | { readonly byGroup: Float64Array }
  /** Of each answer of the sample, how probably its document is taken. */
  | { readonly byAnswer: Float64Array }
  /** The documents of the highest rewards, this share of the corpus: what no choice can exceed. */
  | { readonly best: number }

/** A way to choose documents, whose mean reward is estimated. */
export interface Policy {
  readonly name: string
  readonly taken: Taken
}

/** By replicate, the mean reward of what a policy takes; the first is the estimate itself. NaN: no answer is of a document that it takes. */
export type Replicates = Float64Array

/**
 * The self-normalized estimate of each policy's mean reward, and as many bootstrap replicates of it.
 * The replicates of all policies are by the same resampled answers, so that differences between them have intervals too.
 */
export function replicatesOf(
  sample: EvaluationSample,
  policies: readonly Policy[],
  seed: Seed,
  count: number,
): Replicates[] {
  const uniforms = new Uniforms(seed)
  const resampler = new Resampler(sample)
  const { groupOf, rewards } = sample
  const weightSums = new Float64Array(sample.groups.length)
  const rewardSums = new Float64Array(sample.groups.length)
  const descending = [...rewards.keys()].sort((a, b) => rewards[b]! - rewards[a]! || a - b)
  const found = policies.map(() => new Float64Array(count + 1))
  for (let b = 0; b <= count; b++) {
    const weights = b === 0 ? sample.weights : resampler.next(uniforms)
    weightSums.fill(0)
    rewardSums.fill(0)
    for (let i = 0; i < weights.length; i++) {
      const g = groupOf[i]!
      weightSums[g]! += weights[i]!
      rewardSums[g]! += weights[i]! * rewards[i]!
    }
    for (const [p, { taken }] of policies.entries()) {
      if ('byGroup' in taken) found[p]![b] = ratio(taken.byGroup, rewardSums, weightSums)
      else if ('byAnswer' in taken) found[p]![b] = meanOf(taken.byAnswer, weights, rewards)
      else found[p]![b] = meanOfBest(taken.best, descending, weights, rewards)
    }
  }
  return found
}

function ratio(shares: Float64Array, rewardSums: Float64Array, weightSums: Float64Array): number {
  let above = 0
  let below = 0
  for (let g = 0; g < shares.length; g++) {
    above += shares[g]! * rewardSums[g]!
    below += shares[g]! * weightSums[g]!
  }
  return above / below
}

function meanOf(shares: Float64Array, weights: Float64Array, rewards: Float64Array): number {
  let above = 0
  let below = 0
  for (let i = 0; i < shares.length; i++) {
    above += shares[i]! * weights[i]! * rewards[i]!
    below += shares[i]! * weights[i]!
  }
  return above / below
}

function meanOfBest(
  share: number,
  descending: readonly number[],
  weights: Float64Array,
  rewards: Float64Array,
): number {
  let left = share * weights.reduce((sum, weight) => sum + weight, 0)
  let above = 0
  let below = 0
  for (const i of descending) {
    if (left <= 0) break
    const weight = Math.min(left, weights[i]!)
    above += weight * rewards[i]!
    below += weight
    left -= weight
  }
  return above / below
}

/** An estimate with an interval that holds the truth with this probability. */
export const confidence = 0.95

export interface Interval {
  readonly mean: number
  readonly low: number
  readonly high: number
}

/** The percentile interval, of quantiles at (count + 1) share; null without an estimate. */
export function intervalOf([mean, ...replicates]: Replicates): Interval | null {
  if (mean === undefined || Number.isNaN(mean)) return null
  const sorted = Float64Array.from(replicates.filter((value) => !Number.isNaN(value))).sort()
  if (sorted.length === 0) return { mean, low: mean, high: mean }
  const at = (share: number) => {
    const rank = Math.min(Math.max(share * (sorted.length + 1) - 1, 0), sorted.length - 1)
    const below = sorted[Math.floor(rank)]!
    return below + (rank - Math.floor(rank)) * (sorted[Math.ceil(rank)]! - below)
  }
  const tail = (1 - confidence) / 2
  return { mean, low: Math.min(mean, at(tail)), high: Math.max(mean, at(1 - tail)) }
}

/** Replicates of a difference. */
export const differenceOf = (a: Replicates, b: Replicates): Replicates => a.map((value, i) => value - b[i]!)
