import { WinnowError } from '../errors.ts'
import { drawInPlace } from './draw.ts'
import { gumbel, gumbelNearly } from './gumbel.ts'
import { wordsOf } from './mix.ts'
import type { Remaining } from './plan.ts'
import type { Sampler } from './strategy.ts'
import { compareIds, type Seed } from './u64.ts'

/** Documents that may be taken, in columns. */
export interface Candidates {
  ids: BigUint64Array
  tokens: Float64Array
  /** S(x). */
  scores: Float64Array
}

export interface Prefix {
  ids: BigUint64Array
  documents: number
  tokens: number
  /** g of the last document taken; null if there is none. */
  threshold: number | null
  /** The key of that document: of those with the same g, the ones whose key is at most this are taken. */
  keyLast: bigint | null
  /** Documents whose rank an approximation left open and which were computed exactly. */
  refined: number
}

/**
 * How far an approximate g may be from the exact one, relative to its magnitude if that is above 1. Far beyond the error of rounding and the
 * engine's logarithm (10^-14); a wider margin costs time and changes no result.
 */
const margin = 1e-9

/**
 * The shortest prefix of the candidates, by g descending, then key ascending, that reaches `quota` (SELECTION.md, "Strategies"). Filters by
 * approximate g, and computes exactly what that leaves uncertain: the answer is that of a full sort by exact values.
 * @param seed of the round's draw "select"
 */
export function takePrefix(candidates: Candidates, sampler: Sampler, seed: Seed, quota: Remaining): Prefix {
  const { ids, tokens, scores } = candidates
  const weights = 'tokens' in quota ? tokens : null
  const wanted = 'tokens' in quota ? quota.tokens : quota.documents
  if (wanted <= 0 || ids.length === 0) return taken(candidates, [], null, null, 0)
  const keys = ids.slice()
  drawInPlace(keys, seed)
  const ranks = approximateRanks(scores, keys, sampler)
  const first = divide(ranks, weights, wanted, sampler.kind === 'top' ? 0 : margin)
  // Documents left open under `top` have equal scores: the keys decide, by their leading 53 bits and, if those are equal, in full.
  const { sure, open, missing } = sampler.kind === 'top' ? divideEquals(first, keys, weights) : first
  const exact = open.map((i) => ({ i, g: rank(scores[i]!, keys[i]!, sampler), key: keys[i]! }))
  exact.sort((a, b) => (a.g === b.g ? compareIds(a.key, b.key) : a.g > b.g ? -1 : 1))
  let [threshold, keyLast]: [number | null, bigint | null] = [null, null]
  let rest = missing
  for (const { i, g, key } of exact) {
    if (rest <= 0) break
    sure.push(i)
    threshold = g
    keyLast = key
    rest -= weights === null ? 1 : weights[i]!
  }
  return taken(candidates, sure, threshold, keyLast, sampler.kind === 'top' ? 0 : open.length)
}

interface Division {
  /** Indexes that are selected whatever the exact values are. */
  sure: number[]
  /** Indexes that the exact values decide. */
  open: number[]
  /** What is to be taken from the open ones. */
  missing: number
}

/** @param relative the error of values, relative to their magnitude if that is above 1 */
function divide(values: Float64Array, weights: Float64Array | null, wanted: number, relative: number): Division {
  const cut = cutValue(values, weights, wanted)
  const slack = Math.min(relative * Math.max(1, Math.abs(cut)), Number.MAX_VALUE)
  const division: Division = { sure: [], open: [], missing: wanted }
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (value > cut && value - slack > cut) {
      division.sure.push(i)
      division.missing -= weights === null ? 1 : weights[i]!
    } else if (value === cut || value + slack >= cut) division.open.push(i)
  }
  return division
}

function divideEquals({ sure, open, missing }: Division, keys: BigUint64Array, weights: Float64Array | null): Division {
  const words = wordsOf(keys)
  const byKey = Float64Array.from(open, (i) => -(words[i * 2 + 1]! * 2 ** 32 + words[i * 2]!))
  const second = divide(byKey, weights && Float64Array.from(open, (i) => weights[i]!), missing, 0)
  for (const at of second.sure) sure.push(open[at]!)
  return { sure, open: second.open.map((at) => open[at]!), missing: second.missing }
}

/** g = S, or S / t + G(key). */
export function rank(score: number, key: bigint, sampler: Sampler): number {
  return sampler.kind === 'top' ? score : score / sampler.temperature + gumbel(key)
}

function approximateRanks(scores: Float64Array, keys: BigUint64Array, sampler: Sampler): Float64Array {
  const words = wordsOf(keys)
  const ranks = new Float64Array(scores.length)
  for (let i = 0; i < ranks.length; i++) {
    const score = scores[i]!
    if (Number.isNaN(score)) {
      throw new WinnowError('BAD_DATA', 'the score of a document is not a number', {
        hint: 'Weights or theta have overflowed; look for extreme rewards or initial weights.',
      })
    }
    ranks[i] =
      sampler.kind === 'top' ? score : score / sampler.temperature + gumbelNearly(words[i * 2]!, words[i * 2 + 1]!)
  }
  return ranks
}

/** The largest v such that the values >= v together weigh at least `wanted`; the smallest value if all together weigh less. */
function cutValue(values: Float64Array, weights: Float64Array | null, wanted: number): number {
  let [rest, restWeights] = [values, weights]
  let missing = wanted
  for (;;) {
    const pivot = medianOfThree(rest)
    const above = split(rest, restWeights, (value) => value > pivot)
    if (above.weight >= missing) {
      ;[rest, restWeights] = [above.values, above.weights]
      continue
    }
    const equal = split(rest, restWeights, (value) => value === pivot)
    const below = split(rest, restWeights, (value) => value < pivot)
    if (above.weight + equal.weight >= missing || below.values.length === 0) return pivot
    missing -= above.weight + equal.weight
    ;[rest, restWeights] = [below.values, below.weights]
  }
}

function medianOfThree(values: Float64Array): number {
  const three = [values[0]!, values[values.length >> 1]!, values[values.length - 1]!]
  return three.sort((a, b) => a - b)[1]!
}

function split(values: Float64Array, weights: Float64Array | null, belongs: (value: number) => boolean) {
  const kept = new Float64Array(values.length)
  const keptWeights = weights === null ? null : new Float64Array(values.length)
  let length = 0
  let weight = 0
  for (let i = 0; i < values.length; i++) {
    if (!belongs(values[i]!)) continue
    if (keptWeights !== null) keptWeights[length] = weights![i]!
    weight += weights === null ? 1 : weights[i]!
    kept[length++] = values[i]!
  }
  return {
    values: kept.subarray(0, length),
    weights: keptWeights === null ? null : keptWeights.subarray(0, length),
    weight,
  }
}

function taken(
  { ids, tokens }: Candidates,
  indexes: number[],
  threshold: number | null,
  keyLast: bigint | null,
  refined: number,
): Prefix {
  const chosen = new BigUint64Array(indexes.length)
  const from = wordsOf(ids)
  const to = wordsOf(chosen)
  let sum = 0
  for (const [at, i] of indexes.entries()) {
    to[at * 2] = from[i * 2]!
    to[at * 2 + 1] = from[i * 2 + 1]!
    sum += tokens[i]!
  }
  return { ids: chosen, documents: indexes.length, tokens: sum, threshold, keyLast, refined }
}
