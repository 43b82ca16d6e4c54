import { expect, test } from 'vitest'
import type { Cell } from '../../../services/experiments/cells.ts'
import { strategyOf } from '../../../services/experiments/cells.ts'
import type { CellResult } from '../../../services/experiments/results.ts'
import { summarize } from '../../../services/experiments/summary.ts'
import { cellsOfRow, summaryText } from '../../../services/experiments/summary-text.ts'

const none = { selection: {}, times: 1 }
const plan = {
  baseline: 'random',
  budgets: [10],
  strategies: {
    random: { selection: { strategy: 'random' }, times: 1 },
    'random twice': { ...none, like: 'random', times: 2 },
    'random of topics': { ...none, like: 'random', actors: ['topic'] },
    chosen: none,
    worse: none,
  },
}

/** Losses at 0, at half of the tokens and at the end. */
const planted: [strategy: string, seed: number, losses: number[], other: number, flops: Record<string, number>][] = [
  ['random', 1, [9, 7, 6], 5, { training: 100, evaluation: 999 }],
  ['random', 2, [9, 8, 7], 5, { training: 100, evaluation: 999 }],
  ['random twice', 1, [9, 6, 5], 4, { training: 200 }],
  ['random twice', 2, [9, 7, 6], 4, { training: 200 }],
  ['chosen', 1, [9, 5, 4], 5.5, { training: 100, rewards: 25, reference: 10, labels: 5 }],
  ['chosen', 2, [9, 7, 6], 5.3, { training: 100, rewards: 25, reference: 10, labels: 5 }],
  ['worse', 2, [9, 8, 7.5], 5, { training: 100 }],
]
const cells: Cell[] = Object.keys(plan.strategies).flatMap((strategy) =>
  [1, 2].map((seed) => ({ reference: 'x', budget: 10, strategy, seed }) as Cell),
)
const results = new Map(
  planted.map(([strategy, seed, losses, otherLoss, flops]) => {
    const cell = cells.find((one) => one.strategy === strategy && one.seed === seed)!
    const tokens = strategy === 'random twice' ? 400 : 200
    const curve = losses.map((referenceLoss, i) => ({ step: i, tokens: (tokens * i) / 2, referenceLoss, otherLoss }))
    const { reference, budget } = cell
    const result: CellResult = { reference, budget, strategy, seed, steps: 10, curve, flops, rounds: [], seconds: 1 }
    return [cell, result] as const
  }),
)
const summary = summarize(plan, cells, results)
const of = (name: string) => summary.tables[0]!.rows.find(({ strategy }) => strategy === name)!

test('strategies are compared with the baseline of the same seed', () => {
  expect([summary.cells, summary.finished]).toEqual([10, 7])
  expect(of('chosen')).toMatchObject({
    ...{ seeds: 2, seedsPlanned: 2, referenceLoss: 5, otherLoss: 5.4, tokens: 200 },
    gain: { n: 2, mean: -1.5, low: expect.closeTo(-1.5 - 12.7062 * 0.5, 6) },
    price: { n: 2, mean: expect.closeTo(0.4, 9) },
  })
  // Only seed 2 is there.
  expect(of('worse')).toMatchObject({ seeds: 1, seedsPlanned: 2, gain: { n: 1, mean: 0.5, low: null } })
  expect(of('random of topics')).toBeUndefined()
})

test('the share of tokens is where the baseline’s last loss was first reached', () => {
  // Seed 1: 6 at three quarters of the way from 9 to 5, of 100 tokens; seed 2: 7 at 100 of 200.
  expect(of('chosen').share).toMatchObject({ n: 2, mean: (75 / 200 + 100 / 200) / 2 })
  expect(of('worse').share).toBeNull()
  expect(cellsOfRow(of('worse'))).toContain('not reached')
})

test('at equal FLOPs a strategy is compared with the baseline trained for as many, selecting included and evaluation not', () => {
  expect(of('chosen')).toMatchObject({ trainingFlops: 100, selectingFlops: 40, overhead: 40 })
  // Random at 140 of 100 to 200 FLOPs, over the logarithm.
  const share = Math.log(1.4) / Math.log(2)
  expect(of('chosen').gainAtFlops!.mean).toBeCloseTo((4 - (6 - share) + (6 - (7 - share))) / 2, 12)
  expect(of('random').overhead).toBe(0)
})

test('the table says of what it is made', () => {
  const text = summaryText(summary)
  expect(text).toContain('7 of 10 cells are finished.')
  expect(text).toMatch(/worse +1 of 2 +7\.500/)
  expect(text).toContain('against random')
})

test('a strategy that is like another has its keys', () => {
  const like = { a: { ...none, actors: ['topic'], sampleDocuments: 3, selection: { update: 'ema', repeat: 'allow' } } }
  const strategies = { ...like, b: { ...none, like: 'a', selection: { update: 'additive' }, times: 2 } }
  expect(strategyOf({ strategies }, 'b')).toEqual({
    ...{ like: 'a', times: 2, actors: ['topic'], sampleDocuments: 3 },
    selection: { update: 'additive', repeat: 'allow' },
  })
})
