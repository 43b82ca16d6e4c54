import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { fitExponential, predictExponential } from '../../../topologies/fits/exponential.ts'
import { type Fitted, fitted, heldOut } from '../../../topologies/fits/fit.ts'
import { fitRidge, predictRidge } from '../../../topologies/fits/ridge.ts'
import { rowOf, tableOf } from '../../../topologies/fits/table.ts'
import { fitTrees, predictTrees, regMixTrees } from '../../../topologies/fits/trees.ts'
import { planted, uniformsOf } from './planted.ts'

const law = (mixture: readonly number[]) => 2 + Math.exp(0.5 - 3 * mixture[0]! + 1 * mixture[1]! - 0.5 * mixture[2]!)

describe('trees', () => {
  test('split where the largest gain is, at the midpoint of two neighbouring values', () => {
    const table = tableOf(
      [
        [0, 5],
        [1, 5],
        [2, 5],
        [3, 5],
      ],
      [1, 1, 3, 3],
    )
    const { base, trees } = fitTrees(table, { trees: 1, rate: 0.5, leaves: 2, rowsPerLeaf: 1 })
    expect(base).toBe(2)
    expect(trees).toEqual([
      { feature: [0, -1, -1], threshold: [1.5, 0, 0], left: [1, -1, -1], right: [2, -1, -1], value: [0, -0.5, 0.5] },
    ])
    expect(predictTrees({ base, trees })([1.5, 0])).toBe(1.5)
  })

  test('take the lower feature, then the lower threshold, where gains are equal', () => {
    const table = tableOf(
      [
        [0, 0],
        [1, 1],
        [2, 2],
      ],
      [1, 2, 3],
    )
    const [tree] = fitTrees(table, { trees: 1, rate: 1, leaves: 2, rowsPerLeaf: 1 }).trees
    expect([tree!.feature[0], tree!.threshold[0]]).toEqual([0, 0.5])
  })

  test('leave no leaf with fewer rows than asked, and do not split fewer than twice as many', () => {
    const table = planted(39, 3, law)
    const { base, trees } = fitTrees(table)
    expect(trees.every(({ feature }) => feature.length === 1)).toBe(true)
    expect(predictTrees({ base, trees })([1, 0, 0])).toBeCloseTo(base, 12)
  })

  test('have these bits: a replay elsewhere, years later, fits the same', () => {
    // The losses by + - * / alone, so that the inputs are the same everywhere too.
    const table = planted(120, 4, (x) => (x[0]! * x[1]!) / (x[2]! + 1) - x[3]!)
    const text = JSON.stringify(fitTrees(table, { ...regMixTrees, trees: 50 }))
    expect(createHash('sha256').update(text).digest('hex')).toBe(
      'b5eb8de9176b81970cf94a89247cd12d989c56408b3d6f585208b84373404087',
    )
  })
})

describe('the exponential law', () => {
  test('is recovered from losses without noise', () => {
    const table = planted(40, 3, law)
    const predict = predictExponential(fitExponential(table))
    for (let row = 0; row < table.rows; row++) expect(predict(rowOf(table, row))).toBeCloseTo(table.target[row]!, 6)
    const { c, t } = fitExponential(table)
    expect(c).toBeCloseTo(2, 4)
    // k is in t: the shares sum to 1.
    expect(t.map((value) => value - 0.5)).toEqual([-3, 1, -0.5].map((value) => expect.closeTo(value, 3)))
  })

  test('is flat for losses that do not vary', () => {
    expect(predictExponential(fitExponential(planted(10, 2, () => 3)))([0.5, 0.5])).toBeCloseTo(3, 12)
  })
})

describe('ridge', () => {
  test('takes the smallest penalty where the loss is linear, and predicts it', () => {
    const table = planted(60, 3, ([a, b]) => 4 - 2 * a! + b!)
    const fit = fitRidge(table)
    expect(fit.penalty).toBe(1e-4)
    for (let row = 0; row < table.rows; row++)
      expect(predictRidge(fit)(rowOf(table, row))).toBeCloseTo(table.target[row]!, 2)
  })

  test('takes the largest penalty where there is nothing but noise', () => {
    const noise = uniformsOf('noise')
    expect(fitRidge(planted(30, 6, () => noise.normal())).penalty).toBe(10)
  })

  test('gives no weight to a share that is the same in every row', () => {
    const { coefficients } = fitRidge(
      tableOf(
        [
          [0.2, 0.1],
          [0.2, 0.4],
          [0.2, 0.6],
          [0.2, 0.8],
        ],
        [1, 2, 3, 4],
      ),
    )
    expect([coefficients[0], coefficients[2]]).toEqual([0, 0])
  })
})

describe('a choice of fits', () => {
  test('is by what orders the mixtures left out, which is said for each', () => {
    const result = fitted(planted(32, 3, law), null) as Fitted
    expect(result.heldOut.map(({ kind, folds }) => [kind, folds])).toEqual([
      ['gbdt', 32],
      ['exponential', 32],
      ['linear', 32],
    ])
    expect(result.kind).toBe('exponential')
    expect(result.heldOut[1]!.spearman).toBeGreaterThan(0.999)
  })

  test('does not trust noise: what is left out is not ordered', () => {
    const noise = uniformsOf('noise')
    const table = planted(64, 3, () => noise.normal())
    expect(Math.abs(heldOut('linear', table).spearman ?? 0)).toBeLessThan(0.4)
  })

  test('is refused with a reason for few proxies, and for losses that do not vary', () => {
    expect(fitted(planted(7, 3, law), null)).toEqual({ reason: 'few proxies', rows: 7, wanted: 8 })
    expect(
      fitted(
        planted(20, 3, () => 1),
        'gbdt',
      ),
    ).toEqual({ reason: 'no variance' })
  })
})
