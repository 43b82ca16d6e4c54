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
 * @param rounds ascending, from 1 on
 */
export function refold({ config, rewarded }: Variant, rounds: readonly RoundRewards[]): Refolded {
  let state: SelectionState = initialState(config)
  const byRound = new Map<number, Weights>([[0, weightsOf(state)]])
  for (const { round, actors } of rounds) {
    try {
      const counted = actors.map((columns, a) => (rewarded.includes(a) ? columns : noRewards))
      state = foldRound(config, round, state, counted)
    } catch (error) {
      // As a run would end there.
      if (!(error instanceof WinnowError)) throw error
      return { byRound, ended: error.message }
    }
    byRound.set(round, weightsOf(state))
  }
  return { byRound, ended: null }
}

const weightsOf = ({ actors, theta }: SelectionState): Weights => ({
  weights: actors.map(({ weights }) => weights),
  theta,
})
