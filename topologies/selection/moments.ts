import { nearestDouble } from './rational.ts'

/** Exact sums over the scores x of documents, each taken as q = floor(x * 2^20 + 0.5), so that the order of summation does not matter. */
export interface ScoreSums {
  documents: number
  /** Of q. */
  sum: bigint
  /** Of q^2. */
  squares: bigint
}

const scale = 20n

/** q of a score below 2^32 in magnitude: every step but the flooring is exact. */
export const quantized = (score: number): bigint => BigInt(Math.floor(score * 2 ** Number(scale) + 0.5))

/** m and s of `standardize: corpus` (SELECTION.md, "Strategies"). */
export interface Standardization {
  readonly mean: number
  readonly deviation: number
}

/** Each quotient is rounded once. */
export function standardization({ documents, sum, squares }: ScoreSums): Standardization {
  if (documents === 0) return { mean: 0, deviation: 0 }
  const n = BigInt(documents)
  const mean = nearestDouble(sum, n << scale)
  const deviation = Math.sqrt(nearestDouble(n * squares - sum * sum, (n * n) << (2n * scale)))
  return { mean, deviation }
}

/** f(x) = (x - m) / s, 0 if s is 0. */
export const standardized = (score: number, { mean, deviation }: Standardization): number =>
  deviation === 0 ? 0 : (score - mean) / deviation
