import { projectedSize, projections, projectSlopes } from '../projection.ts'
import { targetsOf } from '../sequences.ts'
import type { Answer, Argument } from './operations.ts'
import { type Feeds, floats, type Sessions, type State, tensorsOf } from './sessions.ts'
import { alike, preconditioned, SlopeComputer } from './slopes.ts'

/** Projected gradients at checkpoints. */
export class Gradients {
  readonly #sessions: Sessions
  readonly #slopes: SlopeComputer
  #projections: { seed: string; feeds: Feeds } | undefined

  constructor(sessions: Sessions) {
    this.#sessions = sessions
    this.#slopes = new SlopeComputer(sessions)
  }

  async gradients(
    { projectionSeed, sequences }: Argument<'gradients'>,
    { weights }: State,
  ): Promise<Answer<'gradients'>> {
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

  async direction(
    { projectionSeed, sequences }: Argument<'direction'>,
    { weights, secondMoments }: State,
  ): Promise<Answer<'direction'>> {
    const { description } = this.#sessions
    const names = description.projection.modules.map(({ name }) => `${name}.weight`)
    const mean = await this.#slopes.mean(weights, names, sequences, alike)
    const slopes = preconditioned(mean, secondMoments!, 1)
    return { direction: projectSlopes(description, projectionSeed, slopes) }
  }

  #projectionsOf(seed: string): Feeds {
    if (this.#projections?.seed !== seed)
      this.#projections = { seed, feeds: tensorsOf(projections(this.#sessions.description, seed)) }
    return this.#projections.feeds
  }
}
