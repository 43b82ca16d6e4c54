import { expect, test } from 'vitest'
import { Rates } from '../../../services/runs/rates.ts'

test('a rate covers the last ten seconds, and is unknown at first', () => {
  const rates = new Rates()
  expect(rates.of(0, new Map([['a', 100]]))('a')).toBeUndefined()
  expect(rates.of(5000, new Map([['a', 200]]))('a')).toBe(20)
  // The first sample is too old by now: what counts is 200 to 500 in 10 s.
  expect(rates.of(15_000, new Map([['a', 500]]))('a')).toBe(30)
  expect(rates.of(16_000, new Map([['b', 1]]))('b')).toBeUndefined()
})
