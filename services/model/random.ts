import { createHash } from 'node:crypto'
import { mixInPlace, wordsOf } from '../../topologies/selection/mix.ts'

/** The purposes of a model's random numbers; each has its own stream. */
export type RandomPurpose = `weights:${string}` | `projection:in:${string}` | `projection:out:${string}`

/**
 * `count` random 64-bit integers as uint32 words (low, high, low, high, ...): number i is splitmix64(i XOR s), where s is
 * seedOf(seed, 0, purpose) of SELECTION.md, "Random choices". A function of its arguments alone.
 */
export function randomWords(seed: string, purpose: RandomPurpose, count: number): Uint32Array {
  const column = new BigUint64Array(count)
  const words = wordsOf(column)
  for (let i = 0; i < count; i++) words[2 * i] = i
  mixInPlace(column, createHash('sha256').update(`${seed}:0:${purpose}`, 'utf8').digest().readBigUInt64LE(0))
  return words
}
