/** The float64 nearest to numerator / denominator (ties to even), for a numerator of any sign and a denominator above 0. */
export function nearestDouble(numerator: bigint, denominator: bigint): number {
  if (numerator === 0n) return 0
  if (numerator < 0n) return -nearestDouble(-numerator, denominator)
  // Scaled so that the quotient has 64 or 65 bits; a last bit says whether there is a remainder, so that Number() rounds correctly.
  const shift = bitLength(numerator) - bitLength(denominator) - 64
  const up = shift > 0 ? 0n : BigInt(-shift)
  const down = shift > 0 ? BigInt(shift) : 0n
  const scaled = numerator << up
  const divisor = denominator << down
  const quotient = scaled / divisor
  const sticky = quotient * divisor === scaled ? 0n : 1n
  return scaledBy(Number((quotient << 1n) | sticky), shift - 1)
}

/** value * 2^exponent in two steps, since 2^exponent alone may exceed a double's range. Results must not be subnormal. */
function scaledBy(value: number, exponent: number): number {
  const half = Math.trunc(exponent / 2)
  return value * 2 ** half * 2 ** (exponent - half)
}

/** Bits of a positive integer. */
const bitLength = (value: bigint): number => value.toString(16).length * 4

/** A finite float64 as an exact fraction. */
export function fractionOf(value: number): { numerator: bigint; denominator: bigint } {
  let numerator = value
  let bits = 0
  while (!Number.isInteger(numerator)) {
    numerator *= 2
    bits += 1
  }
  return { numerator: BigInt(numerator), denominator: 1n << BigInt(bits) }
}
