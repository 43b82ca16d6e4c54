import { lnOf } from './elementary.ts'
import { cholesky, dot, gram, moments, solve, solveLower } from './linear.ts'
import { meanOf, type Predict, rowOf, type Table } from './table.ts'

/**
 * Ridge regression of a loss on [x, ln(x + 1e-3)] of the shares x: the fit for few proxies, where trees cannot split. Columns are standardized, the
 * intercept is free, and the penalty is the one of a fixed list with the least squared error when each row is left out, which ridge gives without a
 * second fit: e_i / (1 - h_ii).
 */
export interface Ridge {
  readonly penalty: number
  readonly intercept: number
  /** By column of `expanded`. */
  readonly coefficients: readonly number[]
}

/** Per row: the penalty on standardized columns is this times the number of rows. */
export const penalties = [1e-4, 1e-3, 1e-2, 1e-1, 1, 10] as const

function expanded(mixture: ArrayLike<number>): number[] {
  const shares = Array.from(mixture)
  return [...shares, ...shares.map((share) => lnOf(share + 1e-3))]
}

export function fitRidge(table: Table): Ridge {
  const rows = Array.from({ length: table.rows }, (_, row) => expanded(rowOf(table, row)))
  const columns = Array.from(rows[0] ?? [], (_, f) => Float64Array.from(rows, (row) => row[f]!))
  const means = columns.map(meanOf)
  const scales = columns.map((column, f) => Math.sqrt(meanOf(column.map((value) => (value - means[f]!) ** 2))))
  // A column that does not vary says nothing: its coefficient is 0.
  const scaled = (value: number, f: number) => (scales[f] === 0 ? 0 : (value - means[f]!) / scales[f]!)
  const design = rows.map((row) => row.map(scaled))
  const center = meanOf(table.target)
  const target = Array.from(table.target, (value) => value - center)
  const best = penalties.map((penalty) => solved(design, target, penalty)).reduce((a, b) => (b.error < a.error ? b : a))
  const coefficients = best.coefficients.map((value, f) => (scales[f] === 0 ? 0 : value / scales[f]!))
  return { penalty: best.penalty, intercept: center - dot(coefficients, means), coefficients }
}

interface Solved {
  readonly penalty: number
  readonly coefficients: readonly number[]
  /** Mean squared error of rows left out. */
  readonly error: number
}

function solved(design: readonly number[][], target: readonly number[], penalty: number): Solved {
  const n = design.length
  const lower = cholesky(gram(design, penalty * n))
  const coefficients = solve(lower, moments(design, target))
  let error = 0
  design.forEach((row, i) => {
    const half = solveLower(lower, row)
    // h_ii = 1/n (the intercept) + x' (X'X + penalty)^-1 x.
    const leverage = 1 / n + dot(half, half)
    const left = (target[i]! - dot(row, coefficients)) / Math.max(1 - leverage, 1e-9)
    error += (left * left) / n
  })
  return { penalty, coefficients, error }
}

export const predictRidge =
  ({ intercept, coefficients }: Ridge): Predict =>
  (mixture) =>
    intercept + dot(expanded(mixture), coefficients)
