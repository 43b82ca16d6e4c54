import type { Steering } from '../../schemas/index.ts'
import { steeredRun } from '../rounds/steering.ts'
import type { RunConfig } from '../run-config.ts'

/** What somebody steered and no round has taken yet, in log order. */
export class PendingSteerings {
  readonly #wanted = new Map<string, Steering>()
  readonly #taken = new Set<string>()

  /** The same again is the same. */
  want(steering: Steering): void {
    if (!this.#wanted.has(steering.id)) this.#wanted.set(steering.id, steering)
  }

  take(steered: readonly Pick<Steering, 'id'>[]): void {
    for (const { id } of steered) this.#taken.add(id)
  }

  get waiting(): readonly Steering[] {
    return [...this.#wanted.values()].filter(({ id }) => !this.#taken.has(id))
  }

  /** The run as a round has it, with all that is due and fits: what does not, since an actor has left for example, waits. */
  ready(run: RunConfig, round: number): { run: RunConfig; steered: readonly Steering[] } {
    const steered: Steering[] = []
    let after = run
    for (const one of this.waiting) {
      if (one.fromRound !== null && round < one.fromRound) continue
      const next = steeredRun(after, one)
      if (next === undefined) continue
      after = next
      steered.push(one)
    }
    return { run: after, steered }
  }
}
