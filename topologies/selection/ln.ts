import { fractionOf, nearestDouble } from './rational.ts'

/**
 * The natural logarithm, correctly rounded: Math.log differs in the last bit between engines, and ClickHouse's from both. Computed in fixed
 * point on BigInt, some 20 microseconds per call, for the few documents that an approximation leaves undecided.
 */

/** Bits after the point. A logarithm of a double comes no closer to a rounding boundary than about 2^-120 of its value, which is at least 2^-65. */
const bits = 320n
const one = 1n << bits

const ln2 = atanhSeries(one / 3n) << 1n

/** 2^bits * atanh(z / 2^bits): z + z^3/3 + z^5/5 + ..., for |z| of at most a third. */
function atanhSeries(z: bigint): bigint {
  const square = (z * z) >> bits
  let power = z
  let sum = 0n
  for (let n = 1n; power !== 0n && power !== -1n; n += 2n) {
    sum += power / n
    power = (power * square) >> bits
  }
  return sum
}

/** ln(numerator / denominator) as the nearest float64; both above 0. */
export function lnOfFraction(numerator: bigint, denominator: bigint): number {
  // m = numerator / denominator / 2^k in [3/4, 3/2), so that near 1 nothing cancels; then ln m = 2 atanh((m - 1) / (m + 1)).
  let k = 0n
  let [above, below] = [numerator, denominator]
  while (2n * above >= 3n * below) {
    below <<= 1n
    k += 1n
  }
  while (4n * above < 3n * below) {
    above <<= 1n
    k -= 1n
  }
  const z = ((above - below) << bits) / (above + below)
  return nearestDouble((atanhSeries(z) << 1n) + k * ln2, one)
}

/** ln of a positive finite float64, as the nearest float64. */
export function ln(x: number): number {
  const { numerator, denominator } = fractionOf(x)
  return lnOfFraction(numerator, denominator)
}
