import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { initialDomainWeights } from '../../../topologies/mixing/averaged.ts'
import { dogeDefaults, dogeUpdate, type GradientProducts } from '../../../topologies/mixing/doge.ts'

/** Products of gradients given as vectors, with the sum of all or with a target. */
function productsOf(gradients: readonly (readonly number[])[], target?: readonly number[]): GradientProducts {
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0)
  const all = gradients[0]!.map((_, i) => gradients.reduce((sum, gradient) => sum + gradient[i]!, 0))
  return { target: gradients.map((one) => dot(one, target ?? all)), own: gradients.map((one) => dot(one, one)) }
}

const start = (domains: number) => initialDomainWeights(Array.from({ length: domains }, () => 1))
const universal = { ...dogeDefaults, variant: 'universal' as const, mu: 1 }
const outOfDomain = { ...universal, variant: 'out-of-domain' as const }

describe('the update of DoGE', () => {
  test('orthogonal gradients of equal norm change nothing', () => {
    const { weights } = dogeUpdate(start(2), productsOf([[1, 0], [0, 1]]), 0.1, universal) // biome-ignore format: vectors
    expect(weights).toEqual([0.5, 0.5])
  })

  test('two parallel domains rise equally against one that is orthogonal', () => {
    const { weights } = dogeUpdate(start(3), productsOf([[1, 0], [1, 0], [0, 1]]), 0.1, universal) // biome-ignore format: vectors
    // Their product is 1, the mean norm 1: W = 0.1 for both.
    const raised = Math.exp(0.1 / (1 + 1e-6))
    expect(weights[0]).toBeCloseTo(raised / (2 * raised + 1), 12)
    expect(weights[0]).toBe(weights[1])
    expect(weights[2]).toBeCloseTo(1 / (2 * raised + 1), 12)
  })

  test('by hand: products with the others, over the mean norm, times the learning rate over mu', () => {
    const gradients = [[0.6, 0], [0.3, 0.4], [0, 0.8]] // biome-ignore format: vectors
    // With the others 0.18, 0.5, 0.32; mean norm (0.6 + 0.5 + 0.8) / 3.
    const mean = 1.9 / 3 + 1e-6
    const raised = [0.18, 0.5, 0.32].map((product) => Math.exp((0.2 * product) / mean / 0.05))
    const sum = raised.reduce((a, b) => a + b, 0)
    const { weights } = dogeUpdate(start(3), productsOf(gradients), 0.2, { ...universal, mu: 0.05 })
    for (const [d, value] of raised.entries()) expect(weights[d]).toBeCloseTo(value / sum, 12)
  })

  test('out of domain: the product with the target alone, their own included nowhere', () => {
    const gradients = [[1, 0], [0, 1]] // biome-ignore format: vectors
    const { weights } = dogeUpdate(start(2), productsOf(gradients, [0.5, 0.25]), 1, outOfDomain)
    const [a, b] = [0.5, 0.25].map((product) => Math.exp(product / (1 + 1e-6)))
    expect(weights[0]).toBeCloseTo(a! / (a! + b!), 12)
  })

  test('a gain below 0 counts as 0, one above 5 as 5: a domain loses by what others gain', () => {
    const opposed = dogeUpdate(start(2), productsOf([[1, 0], [-1, 0]]), 1, universal) // biome-ignore format: vectors
    expect(opposed.weights).toEqual([0.5, 0.5])
    const { weights } = dogeUpdate(start(2), { target: [1000, 0], own: [1, 1] }, 1, outOfDomain)
    expect(weights[0]).toBeCloseTo(Math.exp(5) / (Math.exp(5) + 1), 12)
  })

  test('a domain without tokens gets no weight and counts in no mean', () => {
    const state = initialDomainWeights([1, 0, 1])
    const { weights } = dogeUpdate(state, { target: [1, 7, 0], own: [1, 49, 1] }, 1, outOfDomain)
    expect(weights).toEqual([Math.E / (1 + Math.E), 0, 1 / (1 + Math.E)].map((w) => expect.closeTo(w, 5)))
  })

  test('weights sum to 1 and stay positive', () => {
    const vector = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 })
    fc.assert(
      fc.property(fc.array(fc.tuple(vector, vector, vector), { maxLength: 30 }), (steps) => {
        let state = start(3)
        for (const gradients of steps) state = dogeUpdate(state, productsOf(gradients), 0.05, universal)
        expect(state.weights.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12)
        for (const weight of state.weights) expect(weight).toBeGreaterThan(0)
        expect(state.updates).toBe(steps.length)
      }),
    )
  })
})
