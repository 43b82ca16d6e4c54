/**
 * exp and ln from additions, subtractions, multiplications and divisions alone, which IEEE 754 rounds alike everywhere: so a fit has the same bits
 * on every machine, though neither is correctly rounded (both are within 2 units in the last place). For the millions of calls of a fit, where
 * `selection/exp.ts` and `selection/ln.ts`, which are correctly rounded, would take minutes.
 */

const ln2High = 0.6931471803691238
const ln2Low = 1.9082149292705877e-10
const invLn2 = Math.LOG2E

const words = new DataView(new ArrayBuffer(8))

/** 2^n for n in [-1022, 1023]. */
function powerOfTwo(n: number): number {
  words.setUint32(0, (n + 1023) << 20)
  words.setUint32(4, 0)
  return words.getFloat64(0)
}

/** e^x; 0 below -745, infinite above 709.78. */
export function expOf(x: number): number {
  if (Number.isNaN(x)) return x
  if (x > 709.78) return Number.POSITIVE_INFINITY
  if (x < -745) return 0
  const n = Math.floor(x * invLn2 + 0.5)
  // ln 2 in two parts: n * ln2High is exact, so the remainder loses nothing.
  const r = x - n * ln2High - n * ln2Low
  // |r| <= ln 2 / 2: the term of r^14 is below 2^-53 of the sum.
  let sum = 1
  for (let k = 14; k > 0; k--) sum = 1 + (r / k) * sum
  const half = Math.trunc(n / 2)
  return sum * powerOfTwo(half) * powerOfTwo(n - half)
}

/** The natural logarithm of a positive finite number; -infinity of 0, NaN below. */
export function lnOf(x: number): number {
  if (!(x > 0)) return x === 0 ? Number.NEGATIVE_INFINITY : Number.NaN
  if (x === Number.POSITIVE_INFINITY) return x
  const [value, shift] = x < 2 ** -1022 ? [x * 2 ** 54, -54] : [x, 0]
  words.setFloat64(0, value)
  let exponent = (words.getUint32(0) >>> 20) - 1023
  words.setUint32(0, (words.getUint32(0) & 0xfffff) | (1023 << 20))
  let mantissa = words.getFloat64(0)
  // In [sqrt 1/2, sqrt 2), so that ln is small where the exponent is 0.
  if (mantissa > Math.SQRT2) {
    mantissa /= 2
    exponent += 1
  }
  // ln m = 2 atanh(z), z = (m - 1) / (m + 1), |z| < 0.172: the term of z^23 is below 2^-53 of the sum.
  const z = (mantissa - 1) / (mantissa + 1)
  const square = z * z
  let sum = 0
  for (let k = 21; k >= 1; k -= 2) sum = 1 / k + square * sum
  const n = exponent + shift
  return n * ln2High + (2 * z * sum + n * ln2Low)
}
