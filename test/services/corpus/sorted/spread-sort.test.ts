import fc from 'fast-check'
import { expect, test } from 'vitest'
import { spreadSort } from '../../../../services/corpus/sorted/spread-sort.ts'
import { splitmix64, u64Max } from '../../../../topologies/selection/u64.ts'

const sorted = (keys: readonly bigint[]) => [...keys].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))

test('sorts any keys: over all 64 bits, of the same high word, and repeated', () => {
  const key = fc.oneof(
    fc.bigInt({ min: 0n, max: u64Max }),
    fc.bigInt({ min: 0n, max: 2n ** 33n }),
    fc.nat(64).map((bits) => 2n ** BigInt(bits) - 1n),
  )
  fc.assert(
    fc.property(fc.array(key, { maxLength: 200 }), fc.nat(3), (keys, skipped) => {
      // A column may be a part of a longer one.
      const column = BigUint64Array.from([...Array<bigint>(skipped).fill(9n), ...keys]).subarray(skipped)
      expect([...spreadSort(column)]).toEqual(sorted(keys))
    }),
  )
})

test('sorts many keys, spread over a range or crowded in a part of it', () => {
  const even = Array.from({ length: 30_000 }, (_, i) => (7n << 58n) + (splitmix64(BigInt(i)) >> 9n))
  expect([...spreadSort(BigUint64Array.from(even))]).toEqual(sorted(even))
  const crowded = [...even, ...Array.from({ length: 10_000 }, (_, i) => splitmix64(BigInt(i)) >> 40n)]
  expect([...spreadSort(BigUint64Array.from(crowded))]).toEqual(sorted(crowded))
})
