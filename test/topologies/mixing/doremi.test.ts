import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { meanWeights } from '../../../topologies/mixing/averaged.ts'
import {
  doremiDefaults,
  doremiStart,
  doremiUpdate,
  excessByDomain,
  rowWeights,
} from '../../../topologies/mixing/doremi.ts'

const plain = { rate: 1, smoothing: 0 }
const third = [1 / 3, 1 / 3, 1 / 3]

describe('the update of DoReMi', () => {
  test('by hand: w exp(lambda), normalized', () => {
    const { weights } = doremiUpdate(doremiStart(third), [0, 0.1, 0.2], plain)
    // exp(0) + exp(0.1) + exp(0.2) = 3.326573676
    for (const [d, value] of [0.30061, 0.332225, 0.367165].entries()) expect(weights[d]).toBeCloseTo(value, 5)
  })

  test('the rate multiplies the excess; smoothing spreads its share over all domains', () => {
    const { weights } = doremiUpdate(doremiStart([0.5, 0.5]), [0, 1], { rate: 2, smoothing: 0.1 })
    const before = Math.exp(2) / (1 + Math.exp(2))
    expect(weights[1]).toBeCloseTo(0.9 * before + 0.05, 12)
    expect(weights[0]).toBeCloseTo(0.9 * (1 - before) + 0.05, 12)
  })

  test('equal excesses change nothing; a domain that a batch lacks keeps its last excess', () => {
    const start = doremiStart([0.2, 0.3, 0.5])
    const equal = doremiUpdate(start, [0.7, 0.7, 0.7], plain).weights
    for (const [d, value] of [0.2, 0.3, 0.5].entries()) expect(equal[d]).toBeCloseTo(value, 12)
    const once = doremiUpdate(start, [0.1, 0.4, 0], plain)
    expect(doremiUpdate(once, [0.2, null, 0], plain)).toEqual(doremiUpdate(once, [0.2, 0.4, 0], plain))
  })

  test('the answer is the mean of the weights after each update, not the last', () => {
    const first = doremiUpdate(doremiStart([0.5, 0.5]), [0, 1], plain)
    const second = doremiUpdate(first, [0, 1], plain)
    const [a, b] = [Math.exp(1) / (1 + Math.exp(1)), Math.exp(2) / (1 + Math.exp(2))]
    expect(meanWeights(second)[1]).toBeCloseTo((a + b) / 2, 12)
    expect(meanWeights(doremiStart([0.25, 0.75]))).toEqual([0.25, 0.75])
  })

  test('weights sum to 1 and stay above the smoothing whatever comes; a domain without tokens never gets any', () => {
    const losses = fc.array(fc.array(fc.double({ min: 0, max: 50, noNaN: true }), { minLength: 4, maxLength: 4 }), {
      maxLength: 60,
    })
    fc.assert(
      fc.property(losses, (batches) => {
        let state = doremiStart([10, 0, 30, 60])
        for (const [a, b, c, d] of batches) state = doremiUpdate(state, [a!, b!, c!, d!], doremiDefaults)
        const { weights } = state
        for (const values of [weights, meanWeights(state)]) {
          expect(values.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12)
          expect(values[1]).toBe(0)
        }
        if (batches.length === 0) return
        for (const d of [0, 2, 3]) expect(weights[d]).toBeGreaterThanOrEqual(doremiDefaults.smoothing / 3)
      }),
    )
  })

  test('without smoothing a domain comes back, however far it has fallen', () => {
    let state = doremiStart([0.5, 0.5])
    for (let k = 0; k < 50; k++) state = doremiUpdate(state, [0, 40], plain)
    expect(state.weights[0]).toBeGreaterThan(0)
    for (let k = 0; k < 50; k++) state = doremiUpdate(state, [40, 0], plain)
    expect(state.weights[0]).toBeGreaterThan(0.99)
  })
})

describe('the excess of a batch', () => {
  test('is clipped per token, not per domain, and averaged over the tokens of all rows of a domain', () => {
    const rows = [
      { domain: 0, proxy: [3, 1], reference: [1, 3] },
      { domain: 2, proxy: [2, 2, 2, 2], reference: [1, 1, 1, 1] },
      { domain: 2, proxy: [2, 2], reference: [5, 5] },
    ]
    // Clipped per domain the first would be 0: its losses and those of the reference have the same mean.
    expect(excessByDomain(rows, 3)).toEqual([1, null, 4 / 6])
  })

  test("rows weigh weight over prior, on average 1: rows are drawn by the prior, and the loss is the weights'", () => {
    expect(rowWeights([0, 0, 1], [0.5, 0.5], [0.75, 0.25])).toEqual([0.6, 0.6, 1.8].map((w) => expect.closeTo(w, 12)))
    expect(rowWeights([1, 0, 2], third, third)).toEqual([1, 1, 1].map((w) => expect.closeTo(w, 12)))
  })
})
