/**
 * exp, correctly rounded. Math.exp may differ in the last bit between engines and versions, and so would every later weight; a replay years
 * later must not. Computed in fixed point on BigInt; a few microseconds per call, once per reward.
 */

/** Bits after the point. The closest a double's exp comes to a rounding boundary is about 2^-113 of its value; this leaves room for all errors below. */
const bits = 160n
const one = 1n << bits
/** exp(x) = exp(x / 2^halvings)^(2^halvings): fewer terms of the series. */
const halvings = 7n

const ln2 = logarithmOf2()

export function exp(x: number): number {
  if (Number.isNaN(x)) return Number.NaN
  if (x > 710) return Number.POSITIVE_INFINITY
  if (x < -746) return 0
  // |x| < 2^-54: the nearest double to 1 + x is 1.
  if (Math.abs(x) < 2 ** -54) return 1
  const fixed = fixedPoint(x)
  let exponent = fixed / ln2
  if (fixed < 0n) exponent -= 1n
  const remainder = fixed - exponent * ln2
  return roundedToDouble(series(remainder), Number(exponent))
}

/** exp of a fixed-point number in [0, ln 2). */
function series(x: bigint): bigint {
  const reduced = x >> halvings
  let term = one
  let sum = one
  for (let n = 1n; term > 0n; n++) {
    term = ((term * reduced) >> bits) / n
    sum += term
  }
  for (let i = 0n; i < halvings; i++) sum = (sum * sum) >> bits
  return sum
}

/** ln 2 = the sum of 1 / (n * 2^n), with guard bits that are cut off at the end. */
function logarithmOf2(): bigint {
  const guard = 32n
  let sum = 0n
  for (let n = 1n; n <= bits + guard; n++) sum += ((one << guard) >> n) / n
  return sum >> guard
}

/** Exact while |x| >= 2^-54: a double has 53 bits, so its last one is worth at least 2^-106. */
function fixedPoint(x: number): bigint {
  return BigInt(x * 2 ** 106) << (bits - 106n)
}

/** The double nearest to mantissa * 2^(exponent - bits), for a mantissa in [1, 2); subnormal results included. */
function roundedToDouble(mantissa: bigint, exponent: number): number {
  let top = exponent
  let value = mantissa
  // Fixed-point errors may leave the mantissa slightly outside [1, 2).
  if (value >= one << 1n) {
    value >>= 1n
    top += 1
  }
  const kept = Math.min(53, top + 1075)
  if (kept < 0) return 0
  const drop = bits + 1n - BigInt(kept)
  const rounded = (value + (1n << (drop - 1n))) >> drop
  const scale = top + 1 - kept
  // Two exact steps, because 2^scale alone may be out of a double's range.
  return Number(rounded) * 2 ** Math.trunc(scale / 2) * 2 ** (scale - Math.trunc(scale / 2))
}
