import { expect, test } from 'vitest'
import { spearman } from '../../../services/runtime/statistics.ts'

test('the rank correlation gives ties their mean rank', () => {
  // Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: covariance 4.5, variances 4.5 and 5.
  expect(spearman([1, 2, 2, 3], [10, 20, 30, 40])).toBeCloseTo(4.5 / Math.sqrt(4.5 * 5), 12)
  expect(spearman([1, 2, 3], [3, 2, 1])).toBeCloseTo(-1, 12)
})
