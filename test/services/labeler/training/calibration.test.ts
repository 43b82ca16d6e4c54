import { describe, expect, test } from 'vitest'
import { calibrateClasses, calibrateScores } from '../../../../services/labeler/training/calibration.ts'

describe('the calibration of classes', () => {
  test('compares predicted with observed frequencies, by tenths of probability', () => {
    const { expectedError, bins } = calibrateClasses([0.92, 0.98, 0.55, 0.55], [true, false, true, true])
    expect(bins).toEqual([
      { from: 0.5, to: 0.6, documents: 2, predicted: 0.55, observed: 1 },
      { from: 0.9, to: 1, documents: 2, predicted: expect.closeTo(0.95, 12), observed: 0.5 },
    ])
    // (2 * 0.45 + 2 * 0.45) / 4.
    expect(expectedError).toBeCloseTo(0.45, 12)
  })

  test('has no error if each probability is the share of hits; an edge belongs to the upper bin, and 1 to the last', () => {
    expect(calibrateClasses([0.5, 0.5, 1], [true, false, true])).toEqual({
      expectedError: 0,
      bins: [
        { from: 0.5, to: 0.6, documents: 2, predicted: 0.5, observed: 0.5 },
        { from: 0.9, to: 1, documents: 1, predicted: 1, observed: 1 },
      ],
    })
  })
})

test('the calibration of scores uses bins of one point; values beyond the ends fall into the outer bins', () => {
  expect(calibrateScores([-0.5, 0.5, 5.5, 2], [0, 1, 5, 4])).toEqual({
    expectedError: (2 * 0.5 + 1 * 2 + 1 * 0.5) / 4,
    bins: [
      { from: 0, to: 1, documents: 2, predicted: 0, observed: 0.5 },
      { from: 2, to: 3, documents: 1, predicted: 2, observed: 4 },
      { from: 4, to: 5, documents: 1, predicted: 5.5, observed: 5 },
    ],
  })
})
