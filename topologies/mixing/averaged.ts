import { expOf } from '../fits/elementary.ts'

/**
 * Domain weights that are learned while a proxy trains, as DoReMi and DoGE do it: an exponentiated gradient step after each batch, and as the answer the
 * mean of the weights after every update. Additions, multiplications, divisions and square roots alone: the same bits everywhere.
 */
export interface DomainWeights {
  /** Positive where the prior is, and sum to 1. 0: the corpus has no tokens of the domain, which never gets weight. */
  readonly weights: readonly number[]
  /** Of the weights after each update. */
  readonly sum: readonly number[]
  readonly updates: number
}

export const initialDomainWeights = (prior: readonly number[]): DomainWeights => ({
  weights: normalized(prior),
  sum: prior.map(() => 0),
  updates: 0,
})

/**
 * w_d <- w_d exp(gain_d), normalized, then (1 - smoothing) w_d + smoothing / n over the n domains with weight.
 * @param gains by domain; finite
 */
export function exponentiated(
  { weights, sum, updates }: DomainWeights,
  gains: readonly number[],
  smoothing: number,
): DomainWeights {
  const present = weights.filter((weight) => weight > 0).length
  const top = Math.max(...gains.filter((_, d) => weights[d]! > 0))
  // A domain that falls below the smallest number would never come back, whatever it gains later.
  const raised = weights.map((weight, d) =>
    weight > 0 ? Math.max(weight * expOf(gains[d]! - top), Number.MIN_VALUE) : 0,
  )
  const moved = normalized(raised).map((weight) => (weight > 0 ? (1 - smoothing) * weight + smoothing / present : 0))
  return { weights: moved, sum: sum.map((total, d) => total + moved[d]!), updates: updates + 1 }
}

/** The answer: the mean of the weights over all updates, normalized; before any, the weights. */
export const meanWeights = ({ weights, sum, updates }: DomainWeights): number[] =>
  normalized(updates === 0 ? weights : sum)

function normalized(values: readonly number[]): number[] {
  const total = values.reduce((a, b) => a + b, 0)
  return values.map((value) => value / total)
}
