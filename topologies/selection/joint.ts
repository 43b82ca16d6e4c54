import { WinnowError } from '../errors.ts'
import { cholesky, solve } from '../fits/linear.ts'
import type { SelectionConfig } from './config.ts'
import { cellIndex } from './joint-cells.ts'
import { cellCount, type JointCells, jointCells, jointDefaults } from './joint-config.ts'
import type { RewardColumns } from './rewards.ts'

/** What a round's rewards say of one actor's subcategories: its part of the fit in place of the means of Eq. 4. */
export interface JointPart {
  /** Null for a subcategory that no answered document has, and for all of a frozen actor. */
  readonly coefficients: readonly (number | null)[]
  /** Answers, of any actor, whose document is of the subcategory. */
  readonly counts: readonly number[]
}

/** A round's fit. */
export interface JointFit {
  /** By actor in configuration order. */
  readonly parts: readonly JointPart[]
  /** By cell: what is left of its rewards, shrunk; undefined: the configuration has no residual. */
  readonly cells: JointPart | undefined
}

/**
 * Ridge regression of a round's rewards on the one-hot labels of their documents, with an intercept that is not penalized and not part of the
 * weights: minimizes the sum over answers of v (r - c - sum_A b_A^j(x))^2 + ridge * the sum of all b^2. Sums run over actors in configuration order,
 * documents ascending within one, and the system is solved in a fixed order by operations that are rounded alike everywhere; so order of arrival,
 * partitions and machines do not change a bit.
 * @param rewards of the round, with labels; by actor in configuration order
 * @param transformed what a raw reward counts as
 * @throws WinnowError BAD_DATA if the fit is not finite, CONFIGURATION if the labels of the rewarded documents are not known
 */
export function fitJoint(
  config: Pick<SelectionConfig, 'actors' | 'collaboration' | 'joint'>,
  round: number,
  rewards: readonly RewardColumns[],
  transformed: (raw: number) => number,
): JointFit {
  const { ridge, weighting } = config.joint ?? jointDefaults
  const { actors } = config
  const firsts: number[] = []
  let size = 1
  for (const { subcategories, frozen } of actors) {
    firsts.push(frozen === true ? -1 : size)
    if (frozen !== true) size += subcategories.length
  }
  const counts = new Float64Array(size)
  const matrix = Array.from({ length: size }, () => new Array<number>(size).fill(0))
  const right = new Array<number>(size).fill(0)
  const weightOf = weighting === 'corpus' ? corpusWeights(rewards) : () => 1
  const columns: number[] = []
  for (const { rewards: raw, labels } of rewards) {
    if (raw.length > 0 && labels === undefined)
      throw new WinnowError('CONFIGURATION', `round ${round}: the labels of its rewarded documents are not recorded`, {
        hint: 'collaboration: joint fits rounds that were opened with it.',
      })
    for (let i = 0; i < raw.length; i++) {
      const own = labels![i]!
      columns.length = 0
      columns.push(0)
      for (const [a, first] of firsts.entries()) if (first !== -1) columns.push(first + own[a]!)
      const weight = weightOf(own)
      const moment = weight * transformed(raw[i]!)
      for (const column of columns) {
        counts[column]! += 1
        right[column]! += moment
        for (const other of columns) matrix[column]![other]! += weight
      }
    }
  }
  const none = counts[0] === 0
  // Without any answer the intercept has no equation.
  if (none) matrix[0]![0] = 1
  for (let column = 1; column < size; column++) matrix[column]![column]! += ridge
  const fitted = none ? right : solved(matrix, right, round)
  const parts = actors.map(({ subcategories }, a) => {
    const at = subcategories.map((_, j) => (firsts[a] === -1 ? -1 : firsts[a]! + j))
    return {
      coefficients: at.map((column) => (column === -1 || counts[column] === 0 ? null : fitted[column]!)),
      counts: at.map((column) => (column === -1 ? 0 : counts[column]!)),
    }
  })
  const wanted = jointCells(config)
  const cells =
    wanted === undefined
      ? undefined
      : residualsOf(config, wanted, rewards, (labels, raw) => {
          let left = transformed(raw) - fitted[0]!
          for (const [a, first] of firsts.entries()) if (first !== -1) left -= fitted[first + labels[a]!]!
          return { left, weight: weightOf(labels) }
        })
  return { parts, cells }
}

/** By cell: the sum of v * (r - fitted) over the sum of v, plus k. */
function residualsOf(
  { actors }: Pick<SelectionConfig, 'actors'>,
  { shrinkage }: JointCells,
  rewards: readonly RewardColumns[],
  of: (labels: ArrayLike<number>, raw: number) => { left: number; weight: number },
): JointPart {
  const size = cellCount(actors)
  const [sums, weights, counts] = [new Float64Array(size), new Float64Array(size), new Float64Array(size)]
  for (const { rewards: raw, labels = [] } of rewards) {
    for (let i = 0; i < raw.length; i++) {
      const cell = cellIndex(actors, labels[i]!)
      const { left, weight } = of(labels[i]!, raw[i]!)
      sums[cell]! += weight * left
      weights[cell]! += weight
      counts[cell]! += 1
    }
  }
  return {
    coefficients: Array.from(sums, (sum, cell) => (counts[cell] === 0 ? null : sum / (weights[cell]! + shrinkage))),
    counts: [...counts],
  }
}

function solved(matrix: number[][], right: number[], round: number): number[] {
  try {
    const fitted = solve(cholesky(matrix), right)
    if (fitted.every(Number.isFinite)) return fitted
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  throw new WinnowError('BAD_DATA', `round ${round}: the joint fit of the actors' weights is not finite`, {
    hint: 'Look for extreme rewards of this round, or use rewardTransform standardize.',
  })
}

/**
 * 1 / sum over actors of (answers of the document's subcategory / documents of it), the inverse of its expected number of answers (Kalton and Anderson
 * 1986), scaled so that the weights of all answers have mean 1 and `ridge` means the same.
 */
function corpusWeights(rewards: readonly RewardColumns[]): (labels: ArrayLike<number>) => number {
  const rates = rewards.map(({ subcategories, held = [] }) => {
    const counts = Array.from(held, () => 0)
    for (let i = 0; i < subcategories.length; i++) counts[subcategories[i]!]! += 1
    return counts.map((count, j) => (count === 0 ? 0 : count / held[j]!))
  })
  const raw = (labels: ArrayLike<number>) => {
    let expected = 0
    for (const [a, ofActor] of rates.entries()) expected += ofActor[labels[a]!] ?? 0
    return 1 / expected
  }
  let sum = 0
  let count = 0
  for (const { rewards: values, labels = [] } of rewards) {
    for (let i = 0; i < values.length; i++) sum += raw(labels[i]!)
    count += values.length
  }
  return (labels) => (raw(labels) * count) / sum
}
