import { sizeOf } from '../safetensors.ts'
import type { Sequence } from '../sequences.ts'
import { targetsOf } from '../sequences.ts'
import { gradientOnly, optimizerFeeds } from './optimizer.ts'
import { type Feeds, floats, type Sessions, tensorsOf } from './sessions.ts'

/** Whole gradients, not projected, by parameter name. */
export type Slopes = ReadonlyMap<string, Float64Array>

/** Added to the square root of a second moment, as the trainer does. */
const epsilon = 1e-8

/** Computes whole gradients with the training graph. */
export class SlopeComputer {
  readonly #sessions: Sessions
  /** Zero moments, as the training graph needs them. */
  #zeros: Feeds | undefined

  constructor(sessions: Sessions) {
    this.#sessions = sessions
  }

  /** The gradient of a weighted mean of the sequences' mean losses, with respect to the named parameters. */
  async mean(
    weights: Feeds,
    names: readonly string[],
    sequences: readonly Sequence[],
    weightOf: (sequence: Sequence) => number,
  ): Promise<Slopes> {
    const gradient = new Map(names.map((name) => [name, new Float64Array(sizeOf(weights[name]!.dims))]))
    const total = sequences.reduce((sum, sequence) => sum + weightOf(sequence), 0)
    for (const sequence of sequences) {
      const share = weightOf(sequence) / total
      const result = await this.#sessions.run('train', {
        ...weights,
        ...this.#moments(weights),
        ...this.#sessions.one(sequence),
        ...optimizerFeeds(gradientOnly, 0, 1),
      })
      for (const [name, sum] of gradient) {
        const slope = floats(result[`new.m.${name}`])
        for (let i = 0; i < sum.length; i++) sum[i]! += share * slope[i]!
      }
    }
    return gradient
  }

  #moments(weights: Feeds): Feeds {
    this.#zeros ??= tensorsOf(
      Object.entries(weights).flatMap(([name, { dims }]) => {
        const zero = { shape: dims, data: new Float32Array(sizeOf(dims)) }
        return [[`m.${name}`, zero] as const, [`v.${name}`, zero] as const]
      }),
    )
    return this.#zeros
  }
}

/**
 * Divides each value by the square root of its second moment, as Adam does. Bias correction is omitted, being the same factor for all. `beta2`
 * is the share of the old moments in those of the step: 1 keeps the division linear, smaller values bound the step of a parameter that
 * training has not moved yet, such as that of a token not seen so far.
 */
export function preconditioned(slopes: Slopes, secondMoments: Feeds, beta2: number): Slopes {
  return new Map(
    [...slopes].map(([name, slope]) => {
      const moments = floats(secondMoments[name])
      return [
        name,
        slope.map((value, i) => value / (Math.sqrt(beta2 * moments[i]! + (1 - beta2) * value ** 2) + epsilon)),
      ]
    }),
  )
}

/** For a document, whose windows are weighted by their targets. */
export const byTargets = (window: Sequence): number => targetsOf(window)
/** For a reference, whose samples have equal weight. */
export const alike = (): number => 1
