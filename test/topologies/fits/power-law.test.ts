import { describe, expect, it } from 'vitest'
import { fitPowerLaw, predictPowerLaw, throughTwo } from '../../../topologies/fits/power-law.ts'

const points = (xs: readonly number[], lossOf: (x: number) => number) => xs.map((x) => ({ x, loss: lossOf(x) }))

describe('a power law', () => {
  it.each([
    [2, 30, 0.5],
    [1.7, 400, 0.34],
    [0.1, 5, 0.05],
    [3, 8e3, 2],
  ])(
    'of floor %d, %d x^-%d is found again, and what it predicts a hundred times further on',
    (floor, scale, exponent) => {
      const lossOf = (x: number) => floor + scale * x ** -exponent
      const law = fitPowerLaw(points([100, 140, 190, 260, 330, 400], lossOf))
      expect(law.exponent).toBeCloseTo(exponent, 3)
      expect(law.floor).toBeCloseTo(floor, 2)
      expect(law.scale * law.unit ** law.exponent).toBeCloseTo(scale, -Math.log10(scale) + 1)
      expect(predictPowerLaw(law, 40_000)).toBeCloseTo(lossOf(40_000), 3)
    },
  )

  it('has no floor below 0, and one exponent for points in any order', () => {
    const falling = points([1, 2, 4, 8], (x) => 1 - 0.05 * Math.log(x))
    const law = fitPowerLaw(falling)
    expect(law.floor).toBeGreaterThanOrEqual(0)
    expect(predictPowerLaw(law, 1e12)).toBeGreaterThan(0)
    expect(predictPowerLaw(law, 1e12)).toBeLessThan(0.85)
    expect(fitPowerLaw(falling.toReversed()).exponent).toBeCloseTo(law.exponent, 9)
  })

  it('is the mean of losses that do not fall', () => {
    const law = fitPowerLaw(points([1, 2, 3, 4], (x) => 2 + x / 10))
    expect(law.scale).toBe(0)
    expect(predictPowerLaw(law, 1000)).toBeCloseTo(2.25, 12)
  })

  it('goes through two points without a floor, in either order, and is their mean where they do not fall', () => {
    const [a, b] = points([1e6, 4e6], (x) => 90 * x ** -0.2)
    for (const law of [throughTwo([a!, b!]), throughTwo([b!, a!])]) {
      expect(law.exponent).toBeCloseTo(0.2, 12)
      expect(predictPowerLaw(law, 1e9)).toBeCloseTo(90 * 1e9 ** -0.2, 9)
    }
    const rising = throughTwo([
      { x: 1, loss: 2 },
      { x: 2, loss: 3 },
    ])
    expect(predictPowerLaw(rising, 100)).toBe(2.5)
  })

  it('has these bits: a replay elsewhere, years later, fits the same', () => {
    const { floor, scale, exponent } = fitPowerLaw(points([10, 15, 22, 33, 50], (x) => 3 + 4 / (x + 3)))
    expect([floor, scale, exponent]).toEqual([2.9719254542479256, 0.10308635766226289, 0.734216271758107])
  })
})
