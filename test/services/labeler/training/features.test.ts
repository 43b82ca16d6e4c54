import { describe, expect, test } from 'vitest'
import { surfaceCount } from '../../../../services/labeler/hashed/features.ts'
import type { CorpusFeatures } from '../../../../services/labeler/training/corpus.ts'
import {
  chooseBuckets,
  documentFrequency,
  inverseDocumentFrequency,
  surfaceStatistics,
  weighRows,
} from '../../../../services/labeler/training/features.ts'
import { dealFolds, quantize, rowWeights } from '../../../../services/labeler/training/fit.ts'

/** Three documents of four rows: row 0 in all of them, row 2 in the last two, row 1 in the first, row 3 in none. */
const corpus: CorpusFeatures = {
  starts: Uint32Array.of(0, 2, 4, 6),
  rows: Uint32Array.of(0, 1, 0, 2, 0, 2),
  counts: Uint32Array.of(1, 3, 1, 1, 2, 1),
  surface: [0, 1, 2].map((value) => new Float64Array(surfaceCount).fill(value)),
  auxiliary: [[], [], []],
  shards: Uint32Array.of(0, 0, 0),
  lines: Uint32Array.of(0, 1, 2),
}

describe('features of a corpus', () => {
  test('count the documents of each row, and give rarer rows more weight', () => {
    expect([...documentFrequency(corpus, 4)]).toEqual([3, 1, 2, 0])
    expect([...inverseDocumentFrequency(corpus, 4)]).toEqual(
      [4 / 4, 4 / 2, 4 / 3, 4 / 1].map((ratio) => Math.fround(Math.log(ratio))),
    )
  })

  test('are (1 + ln count) * idf, divided by the length of the document', () => {
    const { values, columns, width } = weighRows(corpus, Float32Array.of(1, 2, 3, 4))
    expect([[...columns], width]).toEqual([[0, 1, 0, 2, 0, 2], 4])
    const rare = (1 + Math.log(3)) * 2
    expect(values[0]).toBeCloseTo(1 / Math.hypot(1, rare), 6)
    expect(values[1]).toBeCloseTo(rare / Math.hypot(1, rare), 6)
    expect(Math.hypot(values[4]!, values[5]!)).toBeCloseTo(1, 6)
  })

  test('of the surface have mean and population deviation; the deviation of a constant one is taken as 1', () => {
    const { means, scales } = surfaceStatistics(corpus.surface)
    expect(means).toEqual(new Array(surfaceCount).fill(1))
    expect(scales[0]).toBeCloseTo(Math.sqrt(2 / 3), 12)
    expect(surfaceStatistics([corpus.surface[1]!]).scales).toEqual(new Array(surfaceCount).fill(1))
  })
})

test('the most frequent buckets get weights, the first of equals, in ascending order', () => {
  const frequency = Uint32Array.of(1, 5, 2, 5, 9, 2)
  expect([...chooseBuckets(frequency, 2, 10)]).toEqual([1, 2, 3, 4, 5])
  expect([...chooseBuckets(frequency, 2, 4)]).toEqual([1, 2, 3, 4])
  expect([...chooseBuckets(frequency, 10, 4)]).toEqual([])
})

describe('weights of a fit', () => {
  test('are rounded in place to 255 levels per output; an output of zeros stays as it is', () => {
    const model = { weights: Float64Array.of(1, 0, -0.5, 0, 0.003, 0), biases: Float64Array.of(0, 0), outputs: 2 }
    const { values, scales } = quantize(model)
    expect([...values]).toEqual([127, 0, -64, 0, 0, 0])
    expect([...scales]).toEqual([Math.fround(1 / 127), 1])
    expect([...model.weights]).toEqual([...values].map((value, i) => value * scales[i % 2]!))
  })

  test('of rows sum to 1: equal for all rows with balance 0, equal for all classes with balance 1', () => {
    expect([...rowWeights([0, 0, 0, 1], 0)]).toEqual([0.25, 0.25, 0.25, 0.25])
    const [a, b, c, d] = rowWeights([0, 0, 0, 1], 1)
    expect(a! + b! + c!).toBeCloseTo(0.5, 12)
    expect(d).toBeCloseTo(0.5, 12)
  })
})

test('folds are of equal size and depend on the seed alone', () => {
  const folds = dealFolds(20, 4, 1)
  expect(folds).toEqual(dealFolds(20, 4, 1))
  expect(folds).not.toEqual(dealFolds(20, 4, 2))
  for (const fold of [0, 1, 2, 3]) expect(folds.filter((dealt) => dealt === fold)).toHaveLength(5)
})
