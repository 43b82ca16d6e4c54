import { WinnowError } from '../errors.ts'
import type { Weights } from '../evaluation/policies.ts'
import { foldRound, initialState, type SelectionState } from '../selection/console.ts'
import type { RewardColumns } from '../selection/rewards.ts'
import type { Variant } from './variants.ts'

/** The accepted rewards of a round, by actor in configuration order; without those that are held out. */
export interface RoundRewards {
  readonly round: number
  readonly actors: readonly RewardColumns[]
}

/** What a variant would have had after each round; or why it has nothing from some round on. */
export interface Refolded {
  readonly byRound: ReadonlyMap<number, Weights>
  readonly ended: string | null
}

const noRewards: RewardColumns = { subcategories: [], rewards: [] }

/**
 * Folds recorded rewards by another configuration, through the fold of every run. What was sampled stays as it was: the draws of a round do not
 * depend on weights.
 */
export class Refolding implements Refolded {
  readonly byRound = new Map<number, Weights>()
  ended: string | null = null
  readonly #variant: Variant
  #state: SelectionState

  constructor(variant: Variant) {
    this.#variant = variant
    this.#state = initialState(variant.config)
    this.byRound.set(0, weightsOf(this.#state))
  }

  /** Rounds ascending, from 1 on. */
  add({ round, actors }: RoundRewards): void {
    if (this.ended !== null) return
    const { config, rewarded } = this.#variant
    const counted = actors.map((columns, a) => (rewarded.includes(a) ? columns : noRewards))
    try {
      this.#state = foldRound(config, round, this.#state, counted)
    } catch (error) {
      // As a run would end there.
      if (!(error instanceof WinnowError)) throw error
      this.ended = error.message
      return
    }
    this.byRound.set(round, weightsOf(this.#state))
  }
}

const weightsOf = ({ actors, theta }: SelectionState): Weights => ({
  weights: actors.map(({ weights }) => weights),
  theta,
})
