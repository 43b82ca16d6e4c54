import type { Answer, Argument, ProbeStep } from './operations.ts'
import { type Feeds, floats, lossesOf, type Sessions, type State, tensorsOf } from './sessions.ts'
import { byTargets, preconditioned, SlopeComputer } from './slopes.ts'

/** The trainer's, and the paper's (A.7.1). */
const beta2 = 0.95

/** Losses before and after single steps from checkpoints. */
export class Probes {
  readonly #sessions: Sessions
  readonly #slopes: SlopeComputer

  constructor(sessions: Sessions) {
    this.#sessions = sessions
    this.#slopes = new SlopeComputer(sessions)
  }

  async probe({ tasks, step }: Argument<'probe'>, start: State): Promise<Answer<'probe'>> {
    const weights = step === undefined ? start.weights : await this.#stepped(start, step)
    const losses: number[] = []
    for (const sequences of tasks) {
      const all = await lossesOf(this.#sessions, weights, sequences)
      losses.push(all.reduce((sum, loss) => sum + loss, 0) / all.length)
    }
    return { losses }
  }

  /** The weights after the step; unmoved tensors are shared with those before. */
  async #stepped(
    { weights, secondMoments }: State,
    { windows, size, normalize, parameters }: ProbeStep,
  ): Promise<Feeds> {
    const { projection } = this.#sessions.description
    const moved =
      parameters === 'all' ? Object.keys(weights) : projection.modules.map((module) => `${module.name}.weight`)
    const plain = await this.#slopes.mean(weights, moved, windows, byTargets)
    const gradient = secondMoments === undefined ? plain : preconditioned(plain, secondMoments, beta2)
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
}
