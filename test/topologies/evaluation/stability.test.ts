import { expect, test } from 'vitest'
import { type RankedRound, stabilityOf } from '../../../topologies/evaluation/stability.ts'
import { kendall } from '../../../topologies/fits/kendall.ts'

const same = expect.closeTo(1, 12)
const names = ['a', 'b', 'c', 'd']
const round = (
  at: number,
  weights: readonly number[],
  rewards: readonly (number | null)[],
  subcategories: readonly string[] = names,
): RankedRound => ({ round: at, actor: 'topic', subcategories, weights, rewards })

test('an order that stays is 1, one that turns around is -1, and one that says nothing is null', () => {
  const found = stabilityOf([
    round(0, [1, 1, 1, 1], [null, null, null, null]),
    round(1, [0.1, 0.2, 0.3, 0.4], [1, 2, 3, 4]),
    round(2, [0.2, 0.3, 0.4, 0.9], [4, 3, 2, 1]),
  ])
  expect(found).toEqual([
    {
      ...{ actor: 'topic', from: 0, to: 1 },
      weights: { subcategories: 4, spearman: null, kendall: null },
      rewards: { subcategories: 0, spearman: null, kendall: null },
    },
    {
      ...{ actor: 'topic', from: 1, to: 2 },
      weights: { subcategories: 4, spearman: same, kendall: 1 },
      rewards: { subcategories: 4, spearman: expect.closeTo(-1, 12), kendall: -1 },
    },
  ])
})

test('subcategories are matched by name, and those without rewards in one of the rounds are left out', () => {
  const [found] = stabilityOf([
    round(3, [1, 2, 3, 4], [1, null, 3, 4]),
    round(5, [40, 30, 20, 50], [4, 3, 2, 9], ['d', 'c', 'b', 'e']),
  ])
  expect(found).toMatchObject({ from: 3, to: 5, weights: { subcategories: 3, spearman: same } })
  expect(found!.rewards).toEqual({ subcategories: 2, spearman: same, kendall: 1 })
})

test('actors are compared with themselves alone', () => {
  const other = { ...round(1, [4, 3, 2, 1], [4, 3, 2, 1]), actor: 'quality' }
  const found = stabilityOf([round(1, [1, 2, 3, 4], [1, 2, 3, 4]), other, round(2, [1, 2, 3, 4], [1, 2, 3, 4])])
  expect(found.map(({ actor, weights }) => [actor, weights.spearman])).toEqual([['topic', same]])
})

test("Kendall's tau-b counts ties as neither agreeing nor against, by the formula of 1945", () => {
  // 6 pairs: 4 agree, 1 is against, 1 is tied on the left.
  expect(kendall([1, 2, 2, 3], [1, 2, 3, 2.5])).toBeCloseTo((4 - 1) / Math.sqrt(5 * 6), 12)
})
