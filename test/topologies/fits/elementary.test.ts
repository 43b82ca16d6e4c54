import fc from 'fast-check'
import { expect, it } from 'vitest'
import { expOf, lnOf } from '../../../topologies/fits/elementary.ts'
import { exp } from '../../../topologies/selection/exp.ts'
import { ln } from '../../../topologies/selection/ln.ts'

it('exp is within 2 units in the last place of the correctly rounded one', () => {
  fc.assert(
    fc.property(fc.double({ min: -700, max: 700, noNaN: true }), (x) => {
      const exact = exp(x)
      expect(Math.abs(expOf(x) - exact)).toBeLessThanOrEqual(exact * 2 ** -51)
    }),
  )
})

it('ln is within 2 units in the last place of the correctly rounded one, subnormal numbers included', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, minExcluded: true, noNaN: true, noDefaultInfinity: true }), (x) => {
      const exact = ln(x)
      expect(Math.abs(lnOf(x) - exact)).toBeLessThanOrEqual(Math.abs(exact) * 2 ** -51)
    }),
  )
})

it('exp and ln have the limits of the real functions', () => {
  expect([expOf(0), expOf(-Infinity), expOf(Infinity), expOf(Number.NaN)]).toEqual([1, 0, Infinity, Number.NaN])
  expect([lnOf(1), lnOf(0), lnOf(-1), lnOf(Infinity)]).toEqual([0, -Infinity, Number.NaN, Infinity])
  expect(expOf(-744)).toBe(exp(-744))
})
