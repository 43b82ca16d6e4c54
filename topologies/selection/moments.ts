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

/** `standardize: corpus` (SELECTION.md, "Strategies"): f(x) = (x - m) / s, 0 if s is 0; each quotient is rounded once. */
export function standardization({ documents, sum, squares }: ScoreSums): (score: number) => number {
  if (documents === 0) return () => 0
  const n = BigInt(documents)
  const mean = nearestDouble(sum, n << scale)
  const deviation = Math.sqrt(nearestDouble(n * squares - sum * sum, (n * n) << (2n * scale)))
  return deviation === 0 ? () => 0 : (score) => (score - mean) / deviation
}
