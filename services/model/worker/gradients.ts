import { targetsOf } from '../pool.ts'
import { projectedSize, projections } from '../projection.ts'
import type { Answer, Argument } from './operations.ts'
import { type Feeds, floats, type Sessions, tensorsOf } from './sessions.ts'

/** Projected gradients at checkpoints. */
export class Gradients {
  readonly #sessions: Sessions
  #projections: { seed: string; feeds: Feeds } | undefined

  constructor(sessions: Sessions) {
    this.#sessions = sessions
  }

  async gradients({ projectionSeed, sequences }: Argument<'gradients'>, weights: Feeds): Promise<Answer<'gradients'>> {
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
