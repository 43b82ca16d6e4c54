import { describe, expect, it } from 'vitest'
import { confusionMatrix, macroF1, measure } from '../../../../services/labeler/training/metrics.ts'

describe('the metrics', () => {
  it('count the confusion matrix by true class, then predicted class', () => {
    expect(confusionMatrix([0, 0, 1, 2], [0, 1, 1, 1], 3)).toEqual([
      [1, 1, 0],
      [0, 1, 0],
      [0, 1, 0],
    ])
  })

  it('take macro-F1 as the mean over classes that occur', () => {
    // Class 0: 2 * 1 / (2 + 1); class 1: 2 * 1 / (1 + 3); class 2: 0; class 3 does not occur.
    expect(macroF1(confusionMatrix([0, 0, 1, 2], [0, 1, 1, 1], 4))).toBeCloseTo((2 / 3 + 1 / 2 + 0) / 3, 12)
  })

  it('measure the largest score of each row, the first of equals', () => {
    const { metrics, guesses } = measure(
      [1, 0],
      [
        [0, 2],
        [1, 1],
      ],
      ['a', 'b'],
    )
    expect(guesses).toEqual([1, 0])
    expect(metrics).toEqual({ accuracy: 1, macroF1: 1 })
  })
})
