import { describe, expect, test } from 'vitest'
import { exp } from '../../../topologies/selection/exp.ts'
import { naiveExp } from './naive.ts'

describe('exp', () => {
  // From a decimal library with 60 digits, rounded once to the nearest double.
  test.each([
    [0, 1],
    [1, Math.E],
    [-1, 0.36787944117144233],
    [0.5, 1.6487212707001282],
    [10, 22026.465794806718],
    [-20, 2.061153622438558e-9],
    [2 ** -54, 1],
    [2 ** -53 * 1.5, 1.0000000000000002],
    [-(2 ** -53), 0.9999999999999999],
    [700, 1.0142320547350045e304],
    [709.782712893384, 1.7976931348622732e308],
    [709.7827128933841, Number.POSITIVE_INFINITY],
    [-745.1332191019411, 5e-324],
    [-745.1332191019412, 0],
    [Number.NEGATIVE_INFINITY, 0],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    [Number.NaN, Number.NaN],
  ])('exp(%d) is %d', (x, expected) => {
    expect(exp(x)).toBe(expected)
  })

  test('is correctly rounded: equal to its Taylor series in 400 bits', () => {
    for (let i = 0; i < 3000; i++) {
      const x = Math.sin(i * 1.618) * 4
      expect(exp(x), `exp(${x})`).toBe(naiveExp(x))
    }
  })

  test('is within one ulp of Math.exp over the whole range, including subnormal results', () => {
    for (let x = -745; x < 709; x += 0.837) {
      const engine = Math.exp(x)
      const unit = Math.max(engine * 2 ** -52, Number.MIN_VALUE)
      expect(Math.abs(exp(x) - engine), `exp(${x})`).toBeLessThanOrEqual(unit)
    }
  })
})
