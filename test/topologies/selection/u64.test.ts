import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asDocumentId } from '../../../schemas/index.ts'
import { mixInPlace, sortByOrderKey, unmixInPlace } from '../../../topologies/selection/mix.ts'
import {
  compareIds,
  orderKey,
  parseId,
  type Seed,
  seedOf,
  splitmix64,
  u64Max,
} from '../../../topologies/selection/u64.ts'

const u64 = fc.bigInt({ min: 0n, max: u64Max })
const seeds = u64.map((value) => value as Seed)

describe('random choices', () => {
  test('splitmix64 and seedOf give the values that SELECTION.md names', () => {
    expect(splitmix64(0n)).toBe(0xe220a8397b1dcdafn)
    expect(seedOf(7, 0, 'select')).toBe(5505375452765718958n)
  })

  test('a seed is the same as a number, a bigint and a string', () => {
    expect(seedOf('7', 0, 'select')).toBe(5505375452765718958n)
    expect(seedOf(7n, 0, 'select')).toBe(5505375452765718958n)
    expect(seedOf(7, 1, 'select')).not.toBe(5505375452765718958n)
    expect(seedOf(7, 0, 'sample:topic')).not.toBe(seedOf(7, 0, 'sample:domain'))
  })

  test('order keys over columns of 32-bit words equal those of bigints, and can be inverted to the ids', () => {
    fc.assert(
      fc.property(fc.array(u64), seeds, (ids, seed) => {
        const column = BigUint64Array.from(ids)
        mixInPlace(column, seed)
        expect([...column]).toEqual(ids.map((id) => orderKey(asDocumentId(id), seed)))
        unmixInPlace(column, seed)
        expect([...column]).toEqual(ids)
      }),
      { examples: [[[0n, 1n, u64Max, 2n ** 32n, 2n ** 32n - 1n, 2n ** 63n], u64Max as Seed]] },
    )
  })

  test('sortByOrderKey orders distinct ids by order key', () => {
    fc.assert(
      fc.property(fc.uniqueArray(u64, { maxLength: 200 }), seeds, (ids, seed) => {
        const sorted = [...ids].sort((a, b) =>
          compareIds(orderKey(asDocumentId(a), seed), orderKey(asDocumentId(b), seed)),
        )
        expect([...sortByOrderKey(BigUint64Array.from(ids), seed)]).toEqual(sorted)
      }),
    )
  })
})

describe('document ids as text', () => {
  test('round-trip for every unsigned 64-bit integer', () => {
    fc.assert(fc.property(u64, (id) => parseId(id.toString()) === id))
    expect(parseId('18446744073709551615')).toBe(u64Max)
    expect(parseId('9007199254740993')).toBe(9007199254740993n)
  })

  test.each([
    '',
    '-1',
    '+1',
    '01',
    '00',
    '1.0',
    '1e3',
    ' 1',
    '1 ',
    '18446744073709551616',
    '99999999999999999999',
    '0x1',
    '١',
  ])('%j is not an id', (text) => {
    expect(parseId(text)).toBeNull()
  })
})
