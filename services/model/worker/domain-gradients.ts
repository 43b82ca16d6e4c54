import { sizeOf } from '../safetensors.ts'
import type { Sequence } from '../sequences.ts'
import { addScaled, dot } from '../vector.ts'
import type { Answer, Argument, OptimizerSettings } from './operations.ts'
import { gradientOnly, optimizerFeeds } from './optimizer.ts'
import { type Feeds, floats, type Sessions, tensorsOf } from './sessions.ts'
import type { Training } from './training.ts'

/** Gradients of domains at the weights in training, and steps along their weighted sum (topologies/mixing/doge.ts). */
export class DomainGradients {
  readonly #sessions: Sessions
  readonly #training: Training
  /** Of each domain, all parameters one after the other. */
  #gradients: (Float32Array | null)[] = []
  #zeros: Feeds | undefined

  constructor(sessions: Sessions, training: Training) {
    this.#sessions = sessions
    this.#training = training
  }

  async compute({ domains, target, clip }: Argument<'domainGradients'>): Promise<Answer<'domainGradients'>> {
    this.#gradients = []
    for (const sequences of domains) this.#gradients.push(sequences && (await this.#clipped(sequences, clip)))
    const towards = target === null ? this.#sum() : await this.#clipped(target, clip)
    return {
      target: this.#gradients.map((gradient) => (gradient === null ? 0 : dot(gradient, towards))),
      own: this.#gradients.map((gradient) => (gradient === null ? 0 : dot(gradient, gradient))),
    }
  }

  /** AdamW as in the training graph (services/influence/export/computations.py, adamw_step), in float64, its state rounded to float32. */
  stepAlong({ weights, learningRate, ...settings }: Argument<'stepAlong'>): Answer<'stepAlong'> {
    const { beta1, beta2, epsilon, weightDecay }: OptimizerSettings = settings
    const step = this.#training.steps + 1
    const correction1 = 1 - beta1 ** step
    const correction2 = Math.sqrt(1 - beta2 ** step)
    const gradient = this.#sum(weights)
    const shapes = new Map(this.#sessions.description.parameters.map(({ name, shape }) => [name, shape]))
    let at = 0
    const steps = this.#training.advance((name, values, first, second) => {
      const kept = shapes.get(name)!.length > 1 ? 1 - learningRate * weightDecay : 1
      for (let i = 0; i < values.length; i++) {
        const slope = gradient[at++]!
        first[i] = beta1 * first[i]! + (1 - beta1) * slope
        second[i] = beta2 * second[i]! + (1 - beta2) * slope * slope
        const root = Math.sqrt(second[i]!) / correction2 + epsilon
        values[i] = values[i]! * kept - ((learningRate / correction1) * first[i]!) / root
      }
    })
    return { steps }
  }

  /** Of all domains, each by its weight. */
  #sum(weights?: readonly number[]): Float64Array {
    const sum = new Float64Array(this.#size)
    for (const [d, gradient] of this.#gradients.entries())
      if (gradient !== null) addScaled(sum, gradient, weights?.[d] ?? 1)
    return sum
  }

  /** The gradient of the sequences' mean loss per target, scaled down to the norm `clip`. */
  async #clipped(sequences: readonly Sequence[], clip: number): Promise<Float32Array> {
    const results = await this.#sessions.run('train', {
      ...this.#training.weights(),
      ...this.#moments(),
      ...this.#sessions.batch(sequences),
      ...optimizerFeeds({ ...gradientOnly, clip }, 0, 1),
    })
    const gradient = new Float32Array(this.#size)
    let at = 0
    for (const { name } of this.#sessions.description.parameters) {
      const slope = floats(results[`new.m.${name}`])
      gradient.set(slope, at)
      at += slope.length
    }
    return gradient
  }

  get #size(): number {
    return this.#sessions.description.parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  }

  #moments(): Feeds {
    this.#zeros ??= tensorsOf(
      this.#sessions.description.parameters.flatMap(({ name, shape }) => {
        const zero = { shape, data: new Float32Array(sizeOf(shape)) }
        return [[`m.${name}`, zero] as const, [`v.${name}`, zero] as const]
      }),
    )
    return this.#zeros
  }
}
