import { WinnowError } from '../../runtime/errors.ts'
import { projectedSize, projections } from '../projection.ts'
import { Recent } from '../recent.ts'
import { readSafetensors, sizeOf } from '../safetensors.ts'
import type { Sequence } from '../sequences.ts'
import type { Answer, Argument, Checkpoint } from './operations.ts'
import { gradientOnly, optimizerFeeds } from './optimizer.ts'
import { type Feeds, floats, lossOf, type Sessions, tensorsOf } from './sessions.ts'
import { fitting } from './training.ts'

/** Requests of two rounds may be mixed for a while; more checkpoints than these are never in use at once. */
const checkpointsMax = 2

/** Gradients at checkpoints. */
export class Gradients {
  readonly #sessions: Sessions
  readonly #weights = new Recent<Feeds>(checkpointsMax)
  #projections: { seed: string; feeds: Feeds } | undefined

  constructor(sessions: Sessions) {
    this.#sessions = sessions
  }

  async gradients({ checkpoint, projectionSeed, sequences }: Argument<'gradients'>): Promise<Answer<'gradients'>> {
    const weights = await this.#weightsOf(checkpoint)
    const size = projectedSize(this.#sessions.description)
    const phi = new Float32Array(size * sequences.length)
    const losses = new Float64Array(sequences.length)
    for (const [i, sequence] of sequences.entries()) {
      const feeds = { ...weights, ...this.#projectionsOf(projectionSeed), ...this.#sessions.one(sequence) }
      const result = await this.#sessions.run('influence', feeds)
      phi.set(floats(result.phi), i * size)
      losses[i] = floats(result.loss)[0]!
    }
    return { phi, losses, targets: Float64Array.from(sequences, targetsOf) }
  }

  async probe({
    checkpoint,
    sequence,
    reference,
    learningRate,
    parameters,
  }: Argument<'probe'>): Promise<Answer<'probe'>> {
    const weights = await this.#weightsOf(checkpoint)
    const gradient = await this.#gradientOf(weights, sequence)
    const { projection } = this.#sessions.description
    const moved = new Set(
      parameters === 'all' ? Object.keys(weights) : projection.modules.map((module) => `${module.name}.weight`),
    )
    const stepped = tensorsOf(
      Object.entries(weights).map(([name, { dims }]) => {
        const slope = floats(gradient[name])
        const data = floats(weights[name])
        return [name, { shape: dims, data: moved.has(name) ? data.map((w, i) => w - learningRate * slope[i]!) : data }]
      }),
    )
    return { reward: (await this.#meanLoss(weights, reference)) - (await this.#meanLoss(stepped, reference)) }
  }

  /** The gradient of the sequence's mean loss with respect to every parameter. */
  async #gradientOf(weights: Feeds, sequence: Sequence): Promise<Feeds> {
    const names = Object.keys(weights)
    const zeros = names.flatMap((name) => {
      const shape = weights[name]!.dims
      const zero = { shape, data: new Float32Array(sizeOf(shape)) }
      return [[`m.${name}`, zero] as const, [`v.${name}`, zero] as const]
    })
    const feeds = {
      ...weights,
      ...tensorsOf(zeros),
      ...this.#sessions.one(sequence),
      ...optimizerFeeds(gradientOnly, 0, 1),
    }
    const result = await this.#sessions.run('train', feeds)
    return Object.fromEntries(names.map((name) => [name, result[`new.m.${name}`]!]))
  }

  async #meanLoss(weights: Feeds, sequences: readonly Sequence[]): Promise<number> {
    let total = 0
    for (const sequence of sequences) total += (await lossOf(this.#sessions, weights, sequence)).loss
    return total / sequences.length
  }

  /** A checkpoint's weights, its moments left out. */
  async #weightsOf(checkpoint: Checkpoint): Promise<Feeds> {
    const weights = this.#weights.get(checkpoint.digest) ?? (await this.#read(checkpoint))
    this.#weights.set(checkpoint.digest, weights)
    return weights
  }

  async #read({ path, digest }: Checkpoint): Promise<Feeds> {
    const file = await readSafetensors(path)
    if (file.digest !== digest)
      throw new WinnowError('BAD_DATA', `${path} has digest ${file.digest}, the request names ${digest}`, {
        hint: 'The file was replaced or belongs to another run; keep checkpoints until their round is closed.',
      })
    const { parameters } = this.#sessions.description
    return tensorsOf(parameters.map(({ name, shape }) => [name, fitting(path, name, file.tensors, shape)]))
  }

  #projectionsOf(seed: string): Feeds {
    if (this.#projections?.seed !== seed)
      this.#projections = { seed, feeds: tensorsOf(projections(this.#sessions.description, seed)) }
    return this.#projections.feeds
  }
}

function targetsOf({ mask }: Sequence): number {
  let sum = 0
  for (let i = 1; i < mask.length; i++) sum += mask[i]!
  return sum
}
