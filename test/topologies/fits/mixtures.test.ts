import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bestMixture } from '../../../topologies/fits/best-mixture.ts'
import { drawMixtures, regMixMixtures, resolution } from '../../../topologies/fits/mixtures.ts'
import { uniformsOf } from './planted.ts'

const priors = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1e9 })), { minLength: 1, maxLength: 20 })

describe('random numbers of a fit', () => {
  it('Dirichlet draws have the mean and the variance of the distribution, for small and large shapes', () => {
    const alpha = [0.05, 0.4, 1.5, 6]
    const total = alpha.reduce((a, b) => a + b, 0)
    const uniforms = uniformsOf('moments')
    const draws = Array.from({ length: 40_000 }, () => uniforms.dirichlet(alpha))
    alpha.forEach((shape, at) => {
      const mean = shape / total
      const variance = (mean * (1 - mean)) / (total + 1)
      const seen = draws.reduce((sum, draw) => sum + draw[at]!, 0) / draws.length
      const spread = draws.reduce((sum, draw) => sum + (draw[at]! - mean) ** 2, 0) / draws.length
      expect(Math.abs(seen - mean)).toBeLessThan(4 * Math.sqrt(variance / draws.length))
      expect(spread / variance).toBeGreaterThan(0.9)
      expect(spread / variance).toBeLessThan(1.1)
    })
  })

  it('shapes so small that every draw would be 0 still give shares that sum to 1', () => {
    const draw = uniformsOf('tiny').dirichlet([1e-5, 1e-5, 1e-4])
    expect(draw.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12)
  })
})

describe('mixtures of a campaign', () => {
  it('are whole parts that sum to the resolution, distinct, within the bounds, and none for a subcategory without tokens', () => {
    fc.assert(
      fc.property(
        priors.filter((prior) => prior.some((tokens) => tokens > 0)),
        fc.integer(),
        (prior, seed) => {
          const total = prior.reduce((a, b) => a + b, 0)
          const mixtures = drawMixtures(prior, 12, uniformsOf(String(seed)), { ...regMixMixtures, candidates: 3 })
          expect(new Set(mixtures.map(String)).size).toBe(mixtures.length)
          for (const mixture of mixtures) {
            expect(mixture.reduce((a, b) => a + b, 0)).toBe(resolution)
            mixture.forEach((parts, at) => {
              expect(Number.isSafeInteger(parts) && parts >= 0).toBe(true)
              if (prior[at] === 0) expect(parts).toBe(0)
              // One part of rounding, and what dropping shares below a part has moved to the others.
              expect(parts).toBeLessThanOrEqual(
                Math.min(1, (15 * prior[at]!) / total) * resolution * (1 + prior.length / (resolution - prior.length)) +
                  1,
              )
            })
          }
        },
      ),
      { numRuns: 30 },
    )
  })

  it('are the same for the same seed, and others for another', () => {
    const drawn = (seed: string) => drawMixtures([10, 20, 70], 5, uniformsOf(seed))
    expect(drawn('1')).toEqual(drawn('1'))
    expect(drawn('1')).not.toEqual(drawn('2'))
  })

  it('are fewer than asked where there are not as many: of one subcategory there is one', () => {
    expect(drawMixtures([0, 9], 4, uniformsOf('one'))).toEqual([[0, resolution]])
  })

  it('need tokens', () => {
    expect(() => drawMixtures([0, 0], 4, uniformsOf('none'))).toThrow('no subcategory has tokens')
  })
})

describe('the best mixture', () => {
  const loss = (mixture: ArrayLike<number>) => (mixture[0]! - 0.7) ** 2 + (mixture[1]! - 0.2) ** 2

  it('is near the minimum of the prediction', () => {
    const best = bestMixture([1, 1, 1], loss, uniformsOf('best'), { draws: 20_000, mean: 1 })!
    expect(best.shares).toEqual([0.7, 0.2, 0.1].map((share) => expect.closeTo(share, 1)))
    expect(best.loss).toBe(loss(best.shares))
    expect(best.considered).toBe(20_000)
  })

  it('stays within the bounds of what is available, and at 0 where there are no tokens', () => {
    const bounds = [0.3, 1, 1, 1]
    const best = bestMixture([1, 1, 1, 0], loss, uniformsOf('bounds'), { draws: 20_000, mean: 16, bounds })!
    expect(best.shares[0]).toBeLessThanOrEqual(0.3)
    expect(best.shares[0]).toBeGreaterThan(0.25)
    expect(best.shares[3]).toBe(0)
  })

  it('is none where no draw lies within the bounds', () => {
    expect(bestMixture([1, 1], loss, uniformsOf('none'), { draws: 100, mean: 4, bounds: [0.1, 0.1] })).toBeNull()
  })
})
