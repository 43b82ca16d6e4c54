import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asDocumentId } from '../../../schemas/index.ts'
import {
  blocks,
  drawInPlace,
  drawStarts,
  key,
  place,
  placeBits,
  sortByKey,
  undrawInPlace,
} from '../../../topologies/selection/draw.ts'
import { compareIds, type Seed, seedOf, splitmix64, u64Max } from '../../../topologies/selection/u64.ts'
import { naiveKey } from './naive.ts'

const u64 = fc.bigInt({ min: 0n, max: u64Max })
const seeds = u64.map((value) => value as Seed)
const edges = [0n, 1n, u64Max, 2n ** 32n, 2n ** 32n - 1n, 2n ** 58n, 2n ** 58n - 1n, 2n ** 63n]

/** How many places of a block, from the draw's start in it, have keys of at most `keyLast`; 0 to 2^58. */
function reachIn(block: number, keyLast: bigint): bigint {
  const b = BigInt(block)
  return keyLast < b ? 0n : ((keyLast - b) >> BigInt(Math.log2(blocks))) + 1n
}

describe('a draw', () => {
  test('orders by the keys of SELECTION.md, for ids and seeds across all 64 bits', () => {
    fc.assert(fc.property(u64, seeds, (id, seed) => key(asDocumentId(id), seed) === naiveKey(id, seed)))
    for (const id of edges)
      for (const seed of edges as Seed[]) expect(key(asDocumentId(id), seed)).toBe(naiveKey(id, seed))
  })

  test('of fixed ids and seeds has not changed', () => {
    expect(place(asDocumentId(0n))).toBe(0xe220a8397b1dcdafn)
    expect([0n, 1n, u64Max].map((id) => key(asDocumentId(id), seedOf(7, 0, 'select')))).toEqual([
      12207695831434725560n,
      5202689058057978660n,
      14790456199903152505n,
    ])
  })

  test('over columns of 32-bit words equals that over bigints, and can be inverted to the ids', () => {
    fc.assert(
      fc.property(fc.array(u64), seeds, (ids, seed) => {
        const column = BigUint64Array.from(ids)
        drawInPlace(column, seed)
        expect([...column]).toEqual(ids.map((id) => key(asDocumentId(id), seed)))
        undrawInPlace(column, seed)
        expect([...column]).toEqual(ids)
      }),
      { examples: edges.map((seed) => [edges, seed as Seed]), numRuns: 300 },
    )
  })

  test('sorts distinct ids by key', () => {
    fc.assert(
      fc.property(fc.uniqueArray(u64, { maxLength: 200 }), seeds, (ids, seed) => {
        const sorted = [...ids].sort((a, b) => compareIds(key(asDocumentId(a), seed), key(asDocumentId(b), seed)))
        expect([...sortByKey(BigUint64Array.from(ids), seed)]).toEqual(sorted)
      }),
    )
  })

  test('up to a key is a contiguous range of places in each block, wrapping around', () => {
    fc.assert(
      fc.property(u64, seeds, u64, (id, seed, keyLast) => {
        const at = place(asDocumentId(id))
        const block = Number(at >> placeBits)
        const distance = BigInt.asUintN(Number(placeBits), at - drawStarts(seed)[block]!)
        expect(distance < reachIn(block, keyLast)).toBe(key(asDocumentId(id), seed) <= keyLast)
      }),
      { examples: edges.map((keyLast) => [5n, 7n as Seed, keyLast]) },
    )
    expect(reachIn(blocks - 1, u64Max)).toBe(2n ** placeBits)
    expect(reachIn(1, 0n)).toBe(0n)
  })

  test('overlaps with another draw as much as a simple random sample would', () => {
    // One stretch in place of 64 fails here: a sample then falls wholly inside or outside of a cut (standard deviation 0.4).
    const ids = BigUint64Array.from({ length: 20_000 }, (_, i) => splitmix64(BigInt(i)))
    const cut = new Set(sortByKey(ids.slice(), seedOf(7, 1, 'select')).subarray(0, 4_000))
    const shares = Array.from({ length: 200 }, (_, round) => {
      const sample = sortByKey(ids.slice(), seedOf(7, round + 2, 'sample:topic')).subarray(0, 100)
      return sample.filter((id) => cut.has(id)).length / 100
    })
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length
    const deviation = Math.sqrt(shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / shares.length)
    expect(mean).toBeCloseTo(0.2, 1)
    expect(deviation).toBeLessThan(0.08)
  })
})
