/** A mean over pairs, with the 95% interval of Student's t; null: one pair has no spread. */
export interface PairedMean {
  readonly n: number
  readonly mean: number
  readonly low: number | null
  readonly high: number | null
}

/** Quantiles 0.975 of Student's t with 1 to 30 degrees of freedom. */
const quantiles = [
  12.7062, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.306, 2.26216, 2.22814, 2.20099, 2.17881, 2.16037,
  2.14479, 2.13145, 2.11991, 2.10982, 2.10092, 2.09302, 2.08596, 2.07961, 2.07387, 2.06866, 2.0639, 2.05954, 2.05553,
  2.05183, 2.04841, 2.04523, 2.04227,
] as const
const normal = 1.959964

/** Quantile 0.975 of Student's t; from 31 degrees of freedom on by the expansion of Cornish and Fisher, good to five digits. */
export function studentQuantile(degrees: number): number {
  const known = quantiles[degrees - 1]
  if (known !== undefined) return known
  const z = normal
  return (
    z +
    (z ** 3 + z) / (4 * degrees) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * degrees ** 3)
  )
}

/**
 * The mean of differences of matched pairs and its interval: mean +- t * s / sqrt(n), s with n - 1. What pairs have in common (first weights, draws)
 * cancels, so few of them say more than as many independent runs.
 * @param differences at least one
 */
export function pairedMean(differences: readonly number[]): PairedMean {
  const n = differences.length
  const mean = differences.reduce((sum, one) => sum + one, 0) / n
  if (n < 2) return { n, mean, low: null, high: null }
  const squares = differences.reduce((sum, one) => sum + (one - mean) ** 2, 0)
  const half = studentQuantile(n - 1) * Math.sqrt(squares / (n - 1) / n)
  return { n, mean, low: mean - half, high: mean + half }
}

/** A point of a curve that falls, roughly, from left to right. */
export interface Point {
  readonly x: number
  readonly y: number
}

/** Where a curve first falls to y, between two points by a straight line; null: it does not. */
export function firstAt(curve: readonly Point[], y: number): number | null {
  for (const [i, after] of curve.entries()) {
    if (after.y > y) continue
    const before = curve[i - 1]
    if (before === undefined) return after.x
    return before.x + ((before.y - y) / (before.y - after.y)) * (after.x - before.x)
  }
  return null
}

/** The height of a curve at x, between two points by a straight line over ln x; null: x is outside, where nothing was measured. */
export function heightAt(curve: readonly Point[], x: number): number | null {
  const points = [...curve].sort((a, b) => a.x - b.x)
  for (const [i, after] of points.entries()) {
    if (after.x < x) continue
    if (after.x === x) return after.y
    const before = points[i - 1]
    if (before === undefined) return null
    const share = Math.log(x / before.x) / Math.log(after.x / before.x)
    return before.y + share * (after.y - before.y)
  }
  return null
}
