import { describe, expect, test } from 'vitest'
import { firstAt, heightAt, pairedMean, studentQuantile } from '../../../topologies/experiment/paired.ts'

describe('matched pairs', () => {
  test('have the mean of their differences, and the interval of Student’s t', () => {
    // s = 1, s / sqrt(3) = 0.57735, t(2) = 4.30265.
    expect(pairedMean([-1, -2, -3])).toEqual({
      n: 3,
      mean: -2,
      low: expect.closeTo(-2 - 4.30265 / Math.sqrt(3), 9),
      high: expect.closeTo(-2 + 4.30265 / Math.sqrt(3), 9),
    })
  })

  test('one pair has a mean and no interval', () => {
    expect(pairedMean([0.5])).toEqual({ n: 1, mean: 0.5, low: null, high: null })
  })

  test.each([
    [1, 12.7062],
    [4, 2.77645],
    [30, 2.04227],
    [31, 2.03951],
    [60, 2.0003],
    [1000, 1.96234],
  ])('the quantile of %i degrees of freedom is %f', (degrees, quantile) => {
    expect(studentQuantile(degrees)).toBeCloseTo(quantile, 4)
  })
})

describe('curves', () => {
  const curve = [
    { x: 100, y: 8 },
    { x: 200, y: 6 },
    { x: 400, y: 7 },
    { x: 800, y: 5 },
  ]

  test('a loss is first reached between two evaluations, in proportion', () => {
    expect(firstAt(curve, 7)).toBe(150)
    expect(firstAt(curve, 5.5)).toBe(700)
    expect(firstAt(curve, 9)).toBe(100)
    expect(firstAt(curve, 4.9)).toBeNull()
  })

  test('a height is read over the logarithm, and not outside of what was measured', () => {
    expect(heightAt(curve.slice(2), 400 * Math.SQRT2)).toBeCloseTo(6, 9)
    expect(heightAt(curve.toReversed(), 200)).toBe(6)
    expect([heightAt(curve, 99), heightAt(curve, 801), heightAt([], 1)]).toEqual([null, null, null])
  })
})
