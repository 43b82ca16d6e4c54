import { ln, lnOfFraction } from './ln.ts'

/** G(key), the noise of the sampler `gumbel` (SELECTION.md, "Strategies" and "Precisions"): falls as the key grows. */

const one = 2n ** 65n

/**
 * u = (key + 1/2) / 2^64, E = -ln(1 - u), G = -ln(E): E is the float64 nearest to the first logarithm, of an exact fraction, G the float64
 * nearest to the second.
 */
export function gumbel(key: bigint): number {
  const exponential = -lnOfFraction(one - 1n - 2n * key, one)
  return -ln(exponential)
}

/** G(key) up to about 10^-15, by the engine's logarithm. @param low and high: the key's uint32 words */
export function gumbelNearly(low: number, high: number): number {
  const u = (high * 2 ** 32 + low + 0.5) / 2 ** 64
  if (u < 0.5) return -Math.log(-Math.log1p(-u))
  // 1 - u, without cancellation.
  const rest = ((~high >>> 0) * 2 ** 32 + (~low >>> 0) + 0.5) / 2 ** 64
  return -Math.log(-Math.log(rest))
}
