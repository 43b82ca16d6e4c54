import { describe, expect, it } from 'vitest'
import { labelOfLogits, labelOfScore } from '../../../services/labeler/mapping.ts'

describe('labelOfScore', () => {
  it.each([
    [0, 0],
    [0.999, 0],
    [1, 1],
    [3.999, 3],
    [4, 4],
    [5, 4],
    [-7, 0],
    [1e9, 4],
  ])('puts %d into interval %d of five', (score, subcategory) => {
    expect(labelOfScore(score, 5)).toEqual({ ok: true, subcategory, score: Math.min(5, Math.max(0, score)) })
  })

  it('cuts [0, 5] into as many equal intervals as the actor has subcategories', () => {
    expect(labelOfScore(2.4, 10)).toMatchObject({ subcategory: 4 })
    expect(labelOfScore(2.5, 2)).toMatchObject({ subcategory: 1 })
    expect(labelOfScore(3, 1)).toMatchObject({ subcategory: 0 })
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('gives %d no label', (score) => {
    expect(labelOfScore(score, 5)).toMatchObject({ ok: false, reason: 'non-finite-score' })
  })
})

describe('labelOfLogits', () => {
  it('gives the subcategory with the largest logit and its softmax probability', () => {
    expect(labelOfLogits([Math.log(1), Math.log(6), Math.log(1)], [5, 3, 1])).toEqual({
      ok: true,
      subcategory: 3,
      score: expect.closeTo(0.75, 12),
    })
  })

  it('takes the first of equal logits without overflow', () => {
    expect(labelOfLogits([1000, 1000], [0, 1])).toEqual({ ok: true, subcategory: 0, score: 0.5 })
  })

  it('gives no label if a logit is not a number', () => {
    expect(labelOfLogits([1, Number.NaN], [0, 1])).toMatchObject({ ok: false, reason: 'non-finite-score' })
  })
})
