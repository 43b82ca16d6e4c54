import { expOf, lnOf } from './elementary.ts'
import { cholesky, dot, gram, moments, solve } from './linear.ts'
import { meanOf, type Predict, rowOf, type Table } from './table.ts'

/**
 * The law of "Data Mixing Laws" (Ye et al. 2024, Eq. 6): L(x) = c + k exp(t . x). Shares sum to 1, so k is in t: k exp(t . x) = exp((t + ln k) . x),
 * and what is fitted is c and t. Huber's loss, as the authors have it, by Levenberg-Marquardt on reweighted rows, from a few starts that are themselves
 * fits: for a given c, ln(L - c) is linear.
 */
export interface Exponential {
  readonly c: number
  /** ln k + t_j, by feature. */
  readonly t: readonly number[]
}

/** How far below the lowest loss a start puts c, in ranges of the losses. */
const depths = [0.05, 0.2, 0.5, 1, 2, 5] as const
const steps = 200
/** Nats from which on an error counts linearly (the authors' law.py has 0.01 to 0.05). */
const delta = 0.02

export function fitExponential(table: Table): Exponential {
  const rows = Array.from({ length: table.rows }, (_, row) => rowOf(table, row))
  const target = Array.from(table.target)
  const low = Math.min(...target)
  const range = Math.max(...target) - low
  if (range === 0) return { c: meanOf(table.target), t: (rows[0] ?? []).map(() => -700) }
  const fits = depths.map((depth) => improved(rows, target, start(rows, target, low - depth * range)))
  const best = fits.reduce((a, b) => (b.error < a.error ? b : a))
  return best.law
}

function start(rows: readonly number[][], target: readonly number[], c: number): Exponential {
  const logarithms = target.map((value) => lnOf(value - c))
  return { c, t: solve(cholesky(gram(rows, 1e-6 * rows.length)), moments(rows, logarithms)) }
}

function huber(error: number): number {
  const size = Math.abs(error)
  return size <= delta ? (size * size) / 2 : delta * (size - delta / 2)
}

const errorOf = (rows: readonly number[][], target: readonly number[], { c, t }: Exponential): number =>
  rows.reduce((sum, row, i) => sum + huber(target[i]! - c - expOf(dot(row, t))), 0)

function improved(
  rows: readonly number[][],
  target: readonly number[],
  from: Exponential,
): { law: Exponential; error: number } {
  let law = from
  let error = errorOf(rows, target, law)
  let damping = 1e-3
  for (let step = 0; step < steps && damping < 1e12; step++) {
    const powers = rows.map((row) => expOf(dot(row, law.t)))
    // Derivatives of L by c and t_j: 1 and x_j exp(t . x).
    const rest = target.map((value, i) => value - law.c - powers[i]!)
    const weights = rest.map((value) => Math.sqrt(Math.min(1, delta / Math.abs(value))))
    const slopes = rows.map((row, i) => [weights[i]!, ...row.map((share) => share * powers[i]! * weights[i]!)])
    const normal = gram(slopes, 0)
    const right = moments(
      slopes,
      rest.map((value, i) => value * weights[i]!),
    )
    // Marquardt's scaling, with a floor for a share that is 0 in every row.
    const scale = normal.map((row, a) => Math.max(row[a]!, 1e-9))
    const damped = normal.map((row, a) => row.map((value, b) => (a === b ? value + damping * scale[a]! : value)))
    const move = solve(cholesky(damped), right)
    const next = { c: law.c + move[0]!, t: law.t.map((value, j) => value + move[j + 1]!) }
    const nextError = errorOf(rows, target, next)
    if (nextError < error) {
      const gained = (error - nextError) / error
      law = next
      error = nextError
      damping = Math.max(damping / 4, 1e-12)
      if (gained < 1e-10) break
    } else {
      damping *= 4
    }
  }
  return { law, error }
}

export const predictExponential =
  ({ c, t }: Exponential): Predict =>
  (mixture) =>
    c + expOf(dot(mixture, t))
