import type { Uniforms } from '../fits/uniforms.ts'
import type { EvaluationSample, SampleStratum } from './sample.ts'

/**
 * Bootstrap weights of a stratified sample without replacement (Rao and Wu 1988): of each stratum's n answers, n - 1 are drawn with replacement,
 * and a weight becomes w (1 + sqrt(1 - n / N) (n / (n - 1) times - 1)). Never negative, and w itself where all N documents were answered.
 * Strata of one answer are merged, within an actor or not, since alone they would show no spread.
 */
export class Resampler {
  readonly #sample: EvaluationSample
  readonly #strata: { readonly members: Uint32Array; readonly factor: number }[]
  readonly #times: Uint16Array
  readonly #weights: Float64Array

  constructor(sample: EvaluationSample) {
    this.#sample = sample
    this.#times = new Uint16Array(sample.weights.length)
    this.#weights = new Float64Array(sample.weights.length)
    const single = sample.strata.filter(({ count }) => count === 1)
    const several = sample.strata.filter(({ count }) => count > 1).map((one) => [one])
    this.#strata = [...several, ...(single.length > 1 ? [single] : [])].map(merged)
    this.#weights.set(sample.weights)
  }

  /** The weights of the next replicate; a view, valid until the one after it. */
  next(uniforms: Uniforms): Float64Array {
    const { weights } = this.#sample
    for (const { members, factor } of this.#strata) {
      const n = members.length
      for (let i = 0; i < n; i++) this.#times[members[i]!] = 0
      for (let drawn = 1; drawn < n; drawn++) {
        const at = members[uniforms.below(n)]!
        this.#times[at] = this.#times[at]! + 1
      }
      for (let i = 0; i < n; i++) {
        const at = members[i]!
        this.#weights[at] = weights[at]! * (1 + factor * ((n / (n - 1)) * this.#times[at]! - 1))
      }
    }
    return this.#weights
  }
}

function merged(strata: readonly SampleStratum[]): { members: Uint32Array; factor: number } {
  const members = strata.flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i))
  const held = strata.reduce((sum, one) => sum + one.held, 0)
  return { members: Uint32Array.from(members), factor: Math.sqrt(Math.max(0, 1 - members.length / held)) }
}
