import { targetsOf } from '../pool.ts'
import { projectedSize, projections } from '../projection.ts'
import type { Checkpoints } from './checkpoints.ts'
import type { Answer, Argument } from './operations.ts'
import { type Feeds, floats, type Sessions, tensorsOf } from './sessions.ts'

/** Projected gradients at checkpoints. */
export class Gradients {
  readonly #sessions: Sessions
  readonly #checkpoints: Checkpoints
  #projections: { seed: string; feeds: Feeds } | undefined

  constructor(sessions: Sessions, checkpoints: Checkpoints) {
    this.#sessions = sessions
    this.#checkpoints = checkpoints
  }

  async gradients({ checkpoint, projectionSeed, sequences }: Argument<'gradients'>): Promise<Answer<'gradients'>> {
    const weights = await this.#checkpoints.weightsOf(checkpoint)
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

  #projectionsOf(seed: string): Feeds {
    if (this.#projections?.seed !== seed)
      this.#projections = { seed, feeds: tensorsOf(projections(this.#sessions.description, seed)) }
    return this.#projections.feeds
  }
}
