import { kendall } from '../fits/kendall.ts'
import { spearman } from '../fits/spearman.ts'

/** What an actor knew of its subcategories in a round. */
export interface RankedRound {
  readonly round: number
  readonly actor: string
  readonly subcategories: readonly string[]
  readonly weights: readonly number[]
  /** Mean raw reward of the answers that counted; null: a subcategory without any. */
  readonly rewards: readonly (number | null)[]
}

/** Rank correlations of the same subcategories in two rounds; null: one of them does not vary. */
export interface RankAgreement {
  /** Subcategories that both rounds have a value of. */
  readonly subcategories: number
  readonly spearman: number | null
  readonly kendall: number | null
}

export interface Stability {
  readonly actor: string
  readonly from: number
  readonly to: number
  readonly weights: RankAgreement
  readonly rewards: RankAgreement
}

/**
 * How far the ranking of each actor's subcategories stays from one round to the next, by weights and by mean rewards. Subcategories are matched by
 * name, so that actors may change on the way.
 * @param rounds ascending for each actor
 */
export function stabilityOf(rounds: readonly RankedRound[]): Stability[] {
  const actors = [...new Set(rounds.map(({ actor }) => actor))]
  return actors.flatMap((actor) => {
    const own = rounds.filter((one) => one.actor === actor)
    return own.slice(1).map((later, i): Stability => {
      const before = own[i]!
      return {
        ...{ actor, from: before.round, to: later.round },
        weights: agreement(before, later, ({ weights }) => weights),
        rewards: agreement(before, later, ({ rewards }) => rewards),
      }
    })
  })
}

function agreement(
  before: RankedRound,
  later: RankedRound,
  valuesOf: (round: RankedRound) => readonly (number | null)[],
): RankAgreement {
  const known = new Map(before.subcategories.map((name, j) => [name, valuesOf(before)[j]]))
  const pairs = later.subcategories.flatMap((name, j): [number, number][] => {
    const [x, y] = [known.get(name), valuesOf(later)[j]]
    return x == null || y == null ? [] : [[x, y]]
  })
  const [a, b] = [pairs.map(([x]) => x), pairs.map(([, y]) => y)]
  return { subcategories: pairs.length, spearman: spearman(a, b), kendall: kendall(a, b) }
}
