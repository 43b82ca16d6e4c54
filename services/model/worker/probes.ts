import { targetsOf } from '../pool.ts'
import { sizeOf } from '../safetensors.ts'
import type { Sequence } from '../sequences.ts'
import type { Answer, Argument, ProbeStep } from './operations.ts'
import { gradientOnly, optimizerFeeds } from './optimizer.ts'
import { type Feeds, floats, lossesOf, type Sessions, tensorsOf } from './sessions.ts'

/** Losses before and after single steps from checkpoints. */
export class Probes {
  readonly #sessions: Sessions
  /** Moments of 0, as the training graph wants them. */
  #zeros: Feeds | undefined

  constructor(sessions: Sessions) {
    this.#sessions = sessions
  }

  async probe({ tasks, step }: Argument<'probe'>, start: Feeds): Promise<Answer<'probe'>> {
    const weights = step === undefined ? start : await this.#stepped(start, step)
    const losses: number[] = []
    for (const sequences of tasks) {
      const all = await lossesOf(this.#sessions, weights, sequences)
      losses.push(all.reduce((sum, loss) => sum + loss, 0) / all.length)
    }
    return { losses }
  }

  /** The weights after the step; what it does not move is shared with those before. */
  async #stepped(weights: Feeds, { windows, size, normalize, parameters }: ProbeStep): Promise<Feeds> {
    const { projection } = this.#sessions.description
    const moved =
      parameters === 'all' ? Object.keys(weights) : projection.modules.map((module) => `${module.name}.weight`)
    const gradient = await this.#gradientOf(weights, moved, windows)
    let squares = 0
    for (const slope of gradient.values()) for (const value of slope) squares += value * value
    const rate = normalize === 'none' || squares === 0 ? size : size / Math.sqrt(squares)
    const stepped = moved.map((name) => {
      const { dims } = weights[name]!
      const slope = gradient.get(name)!
      return [name, { shape: dims, data: floats(weights[name]).map((w, i) => w - rate * slope[i]!) }] as const
    })
    return { ...weights, ...tensorsOf(stepped) }
  }

  /** The gradient of the document's mean loss with respect to the named parameters. */
  async #gradientOf(
    weights: Feeds,
    names: readonly string[],
    windows: readonly Sequence[],
  ): Promise<Map<string, Float64Array>> {
    const gradient = new Map(names.map((name) => [name, new Float64Array(sizeOf(weights[name]!.dims))]))
    const total = windows.reduce((sum, window) => sum + targetsOf(window), 0)
    for (const window of windows) {
      const share = targetsOf(window) / total
      const result = await this.#sessions.run('train', {
        ...weights,
        ...this.#moments(weights),
        ...this.#sessions.one(window),
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
