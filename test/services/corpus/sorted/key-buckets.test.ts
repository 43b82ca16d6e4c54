import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KeyBuckets } from '../../../../services/corpus/sorted/key-buckets.ts'
import { pagesOf } from '../../../../services/corpus/sorted/pages.ts'
import { mixInPlace, sortByOrderKey } from '../../../../topologies/selection/mix.ts'
import { seedOf, splitmix64, u64Max } from '../../../../topologies/selection/u64.ts'

const seed = seedOf(7, 0, 'order')

/** Asks for the keys of each page in pieces, as a store gives them. */
function paged(ids: BigUint64Array, pages: ReturnType<typeof pagesOf>): bigint[] {
  const keys = ids.slice()
  mixInPlace(keys, seed)
  return pages.flatMap(({ first, last, ids: expected }) => {
    const buckets = new KeyBuckets(first, last, expected)
    const inPage = keys.filter((key) => key >= first && key <= last)
    for (let at = 0; at < inPage.length; at += 1000) buckets.add(inPage.subarray(at, at + 1000))
    return [...buckets.ids(seed)].flatMap((column) => [...column])
  })
}

test('gives ids of all 64 bits in emission order, whatever was expected', () => {
  const id = fc.bigInt({ min: 0n, max: u64Max })
  fc.assert(
    fc.property(fc.uniqueArray(id, { maxLength: 300 }), fc.integer({ min: 0, max: 10 ** 6 }), (ids, expected) => {
      const column = BigUint64Array.from(ids)
      const pages = pagesOf(ids.length, { first: 20, others: 70 })
      const inOrder = [...sortByOrderKey(column.slice(), seed)]
      expect(paged(column, pages)).toEqual(inOrder)
      expect(paged(column, [{ first: 0n, last: u64Max, ids: expected }])).toEqual(inOrder)
    }),
  )
})

test('more keys than a bucket holds, in pages and in one range', () => {
  const ids = BigUint64Array.from({ length: 100_000 }, (_, i) => splitmix64(BigInt(i)))
  const inOrder = [...sortByOrderKey(ids.slice(), seed)]
  expect(paged(ids, pagesOf(ids.length, { first: 10_000, others: 100_000 }))).toEqual(inOrder)
  expect(paged(ids, [{ first: 0n, last: u64Max, ids: 3 }])).toEqual(inOrder)
})

test('keys of a range narrower than 2^32, and of the same high word, are sorted', () => {
  const buckets = new KeyBuckets(5n << 32n, (6n << 32n) - 1n, 10 ** 6)
  const keys = BigUint64Array.from([3n, 0n, 2n ** 32n - 1n, 7n], (low) => (5n << 32n) + low)
  buckets.add(keys)
  const ids = BigUint64Array.from([...buckets.ids(seed)].flatMap((column) => [...column]))
  mixInPlace(ids, seed)
  expect([...ids]).toEqual([...keys.sort()])
})
