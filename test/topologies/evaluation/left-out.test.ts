import { expect, test } from 'vitest'
import { agreementOf, disjointGroups, predictedEffect } from '../../../topologies/evaluation/left-out.ts'
import { Uniforms } from '../../../topologies/fits/uniforms.ts'
import { seedOf } from '../../../topologies/selection/u64.ts'

const seed = seedOf(7, 0, 'retrain')

test('groups have as many documents each, no document twice, and depend on the seed alone', () => {
  const groups = disjointGroups(23, 4, seed)
  expect(groups.map((group) => group.length)).toEqual([4, 4, 4, 4, 4])
  expect(new Set(groups.flat()).size).toBe(20)
  expect(disjointGroups(23, 4, seed)).toEqual(groups)
  expect(disjointGroups(23, 4, seedOf(8, 0, 'retrain'))).not.toEqual(groups)
  expect(disjointGroups(3, 4, seed)).toEqual([])
})

test('a group is expected to do what its tokens have above the others, in their place', () => {
  // Half of the tokens have reward 2 and are replaced by those of reward -1 and 0, half each.
  expect(predictedEffect([2, -1, 0], [20, 10, 10], [0])).toBeCloseTo(0.5 * (2 - -0.5), 12)
  expect(predictedEffect([1, 1, 1], [5, 7, 11], [1])).toBe(0)
  expect(predictedEffect([2, -1], [20, 10], [0, 1])).toBe(0)
})

test('the interval holds the planted agreement, excludes chance where there is one, and not where there is none', () => {
  const uniforms = new Uniforms(seed)
  const planted = Array.from({ length: 40 }, () => {
    const predicted = uniforms.normal()
    return { predicted, effect: predicted + 0.5 * uniforms.normal() }
  })
  const found = agreementOf(planted, seed)!
  // Pearson is 1 / sqrt(1.25) = 0.894, and Spearman of normal pairs 6 / pi asin(0.894 / 2) = 0.885.
  expect([found.low < 0.885, found.high > 0.885, found.low > 0.5]).toEqual([true, true, true])
  expect(agreementOf(planted, seed)).toEqual(found)
  const noise = planted.map(({ predicted }) => ({ predicted, effect: uniforms.normal() }))
  expect(agreementOf(noise, seed)!.low).toBeLessThan(0)
  expect(
    agreementOf(
      planted.map(({ predicted }) => ({ predicted, effect: 1 })),
      seed,
    ),
  ).toBeNull()
})
