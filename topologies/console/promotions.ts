import type { ActorState, Promoted, Promotion } from '../../schemas/index.ts'
import { parseRunConfig, type RunConfig, runConfigJson } from '../run-config.ts'

/** Where a shadow is after a round that it has selected. */
export interface ShadowState {
  /** Its configuration in that round. */
  readonly run: RunConfig
  /** In configuration order. */
  readonly states: readonly Pick<ActorState, 'actor' | 'weights' | 'rewards' | 'counts' | 'everRewarded'>[]
  readonly theta: readonly number[]
}

/**
 * Asks where a shadow was after a round; undefined: it has not come so far. The answer is written into the opening of the next round; nothing else depends on it.
 * @param shadow as it was recorded
 */
export type ShadowAt = (shadow: RunConfig, round: number) => Promise<ShadowState | undefined>

/** Promotions that somebody asked for, in log order. */
export class PendingPromotions {
  readonly #wanted: Promotion[] = []
  readonly #taken = new Set<string>()

  /** The same again is the same. */
  want(promotion: Promotion): void {
    if (!this.#wanted.some(({ id }) => id === promotion.id)) this.#wanted.push(promotion)
  }

  take({ id }: Pick<Promoted, 'id'>): void {
    this.#taken.add(id)
  }

  get asked(): number {
    return this.#wanted.length
  }

  /** Those that no round has taken yet: one that is taken calls off all that were wanted before it. */
  get waiting(): readonly Promotion[] {
    return this.#wanted.slice(this.#wanted.findLastIndex(({ id }) => this.#taken.has(id)) + 1)
  }

  /**
   * The last wanted shadow that may serve from this round on: due, and level with the run. One that is behind delays nobody: it serves from a later round.
   * @param roundBefore the last round that the run has selected
   */
  async ready(round: number, roundBefore: number, shadowAt: ShadowAt): Promise<Promoted | undefined> {
    for (const { id, shadow, config, fromRound } of this.waiting.toReversed()) {
      if (fromRound !== null && round < fromRound) continue
      const state = await shadowAt(parseRunConfig(JSON.parse(config)), roundBefore)
      if (state === undefined) continue
      const actors = state.states.map(({ actor, weights, rewards, counts, everRewarded }) => ({
        ...{ actor, weights, rewards, counts, everRewarded },
      }))
      const theta = [...state.theta]
      return { id, shadow, round: roundBefore, config: runConfigJson(state.run), actors, theta }
    }
    return undefined
  }
}
