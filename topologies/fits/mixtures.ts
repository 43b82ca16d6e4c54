import { expOf, lnOf } from './elementary.ts'
import type { Uniforms } from './uniforms.ts'

/**
 * The mixtures of a campaign of proxies, as RegMix draws them (its synthesize_mixture.py): Dirichlet around the tempered prior, at one of fifteen
 * strengths from peaked to even, none above what the corpus could give, small shares dropped, near doubles dropped.
 */

/** A mixture in whole parts of 1 / `resolution`: what is recorded is exact. Parts sum to the resolution. */
export type Mixture = readonly number[]

/** RegMix's 2e-4. */
export const resolution = 5000

export interface MixtureOptions {
  /** prior^temperature, normalized: flatter than the corpus, so that small subcategories are seen. */
  readonly temperature: number
  /** Lowest and highest strength, and how many between them, evenly in logarithm. */
  readonly strengths: { readonly low: number; readonly high: number; readonly count: number }
  /** No share above this many times the subcategory's share of the corpus: a proxy must not repeat a small subcategory endlessly. */
  readonly repetitions: number
  /** Candidates drawn for each mixture wanted. */
  readonly candidates: number
}

export const regMixMixtures: MixtureOptions = {
  temperature: 0.5,
  strengths: { low: 0.1, high: 5, count: 15 },
  repetitions: 15,
  candidates: 100,
}

/** Candidates that may be refused, one after the other, before the bounds are called impossible. */
const patience = 100_000

/**
 * @param prior tokens by subcategory; those without any get no share
 * @returns `count` distinct mixtures, or fewer where there are not as many
 * @throws RangeError where no subcategory has tokens
 */
export function drawMixtures(
  prior: readonly number[],
  count: number,
  uniforms: Uniforms,
  options: MixtureOptions = regMixMixtures,
): Mixture[] {
  const total = prior.reduce((a, b) => a + b, 0)
  if (!(total > 0)) throw new RangeError('no subcategory has tokens')
  const present = prior.flatMap((tokens, at) => (tokens > 0 ? [at] : []))
  const shares = present.map((at) => prior[at]! / total)
  const alphas = strengthened(tempered(shares, options.temperature), options.strengths)
  const bounds = shares.map((share) => Math.min(1, share * options.repetitions))
  const distinct = new Map<string, number[]>()
  let refused = 0
  for (let drawn = 0; drawn < count * options.candidates && refused < patience; ) {
    const draw = uniforms.dirichlet(alphas[uniforms.below(alphas.length)]!)
    if (draw.some((share, at) => share > bounds[at]!)) {
      refused++
      continue
    }
    refused = 0
    drawn++
    const parts = rounded(draw)
    distinct.set(parts.join(), parts)
  }
  // Sorted, so that what is drawn next does not depend on the order of insertion; as RegMix does.
  const pool = [...distinct.values()].sort(compareParts)
  return picked(pool, count, uniforms).map((parts) => spread(parts, present, prior.length))
}

function tempered(shares: readonly number[], temperature: number): number[] {
  const powers = shares.map((share) => expOf(temperature * lnOf(share)))
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map((power) => power / sum)
}

function strengthened(shares: readonly number[], { low, high, count }: MixtureOptions['strengths']): number[][] {
  const step = count === 1 ? 0 : (lnOf(high) - lnOf(low)) / (count - 1)
  return Array.from({ length: count }, (_, i) => shares.map((share) => share * expOf(lnOf(low) + i * step)))
}

/** A mixture in whole parts: shares below one part are dropped, the rest is rounded down, and the largest remainders get what is left. */
export function rounded(draw: readonly number[]): number[] {
  const kept = draw.map((share) => (share * resolution < 1 ? 0 : share))
  const sum = kept.reduce((a, b) => a + b, 0)
  const exact = kept.map((share) => (share / sum) * resolution)
  const parts = exact.map(Math.floor)
  const missing = resolution - parts.reduce((a, b) => a + b, 0)
  const byRemainder = exact
    .map((value, at) => ({ at, remainder: value - Math.floor(value) }))
    .sort((a, b) => b.remainder - a.remainder || a.at - b.at)
  for (const { at } of byRemainder.slice(0, missing)) parts[at]!++
  return parts
}

function compareParts(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, i) => value !== b[i])
  return at === -1 ? 0 : a[at]! - b[at]!
}

/** `count` of the pool without repetition, by Fisher and Yates's shuffle of its beginning. */
function picked<T>(pool: T[], count: number, uniforms: Uniforms): T[] {
  const wanted = Math.min(count, pool.length)
  for (let at = 0; at < wanted; at++) {
    const other = at + uniforms.below(pool.length - at)
    ;[pool[at], pool[other]] = [pool[other]!, pool[at]!]
  }
  return pool.slice(0, wanted)
}

function spread(parts: readonly number[], present: readonly number[], size: number): number[] {
  const mixture = new Array<number>(size).fill(0)
  present.forEach((at, i) => {
    mixture[at] = parts[i]!
  })
  return mixture
}
