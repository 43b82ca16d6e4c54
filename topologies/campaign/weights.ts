import { lnOf } from '../fits/elementary.ts'
import { resolution } from '../fits/mixtures.ts'

/**
 * Initial weights of an actor from a mixture.
 * `share`: the shares themselves, as in the paper (3.3), which fits rewards between 0 and 1.
 * `lift`: ln(share / prior), shifted and scaled to mean 0 and deviation 1 over the tokens of the corpus. That is the scale of rewards under
 * `rewardTransform: standardize`: the first round's rewards then correct the weights instead of drowning them. A subcategory that the mixture takes
 * as often as the corpus has it gets about 0; one that it leaves out counts as one part of 1/5000.
 */
export const weightScales = ['share', 'lift'] as const
export type WeightScale = (typeof weightScales)[number]

/** @param tokens of the corpus, by subcategory; a subcategory without any gets 0 */
export function weightsOf(shares: readonly number[], tokens: readonly number[], scale: WeightScale): number[] {
  if (scale === 'share') return [...shares]
  const total = tokens.reduce((a, b) => a + b, 0)
  const prior = tokens.map((count) => count / total)
  const lifts = shares.map((share, at) => (prior[at] === 0 ? 0 : lnOf(Math.max(share, 1 / resolution) / prior[at]!)))
  const mean = lifts.reduce((sum, lift, at) => sum + prior[at]! * lift, 0)
  const deviation = Math.sqrt(lifts.reduce((sum, lift, at) => sum + prior[at]! * (lift - mean) ** 2, 0))
  // Rounding leaves a trace of a deviation where all lifts are equal.
  return lifts.map((lift, at) => (prior[at] === 0 || deviation < 1e-12 ? 0 : (lift - mean) / deviation))
}
