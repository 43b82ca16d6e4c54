import { describe, expect, it } from 'vitest'
import { learningRateAt } from '../../../services/model/schedule.ts'
import { documentWindows, referenceSequence } from '../../../services/model/sequences.ts'

const ids = (sequences: readonly { ids: Int32Array }[]) => sequences.map((sequence) => [...sequence.ids])

describe('windows of a document', () => {
  it('begin with end-of-text, and every token is a target once', () => {
    expect(ids(documentWindows([1, 2, 3, 4, 5], 3, 4))).toEqual([
      [0, 1, 2, 3],
      [3, 4, 5, 0],
    ])
  })

  it('are at most as many as asked for', () => {
    expect(ids(documentWindows([1, 2, 3, 4, 5], 3, 1))).toEqual([[0, 1, 2, 3]])
    expect(ids(documentWindows([1, 2, 3, 4, 5, 6], 3, 9))).toEqual([
      [0, 1, 2, 3],
      [3, 4, 5, 6],
      [6, 0],
    ])
  })

  it('repeat the last tokens of the previous window as context only', () => {
    const windows = documentWindows([1, 2, 3, 4, 5, 6, 7], 4, 9, 2)
    expect(ids(windows)).toEqual([
      [0, 1, 2, 3, 4],
      [2, 3, 4, 5, 6],
      [4, 5, 6, 7, 0],
    ])
    expect(windows.map(({ mask }) => [...mask])).toEqual([
      [1, 1, 1, 1, 1],
      [0, 0, 0, 1, 1],
      [0, 0, 0, 1, 1],
    ])
  })

  it('make every token a target once for any length, context and overlap', () => {
    for (const context of [1, 2, 3, 5, 8])
      for (let overlap = 0; overlap < context; overlap++)
        for (let length = 0; length < 20; length++) {
          const tokens = Array.from({ length }, (_, i) => i + 1)
          const targets = documentWindows(tokens, context, 99, overlap).flatMap(({ ids, mask }) =>
            [...ids].filter((_, i) => i > 0 && mask[i] === 1),
          )
          expect(targets, `${context}, ${overlap}, ${length}`).toEqual([...tokens, 0])
        }
  })

  it('end with the model’s end-of-text token', () => {
    expect(ids(documentWindows([1, 2], 3, 1, 0, 9))).toEqual([[9, 1, 2, 9]])
    expect([...referenceSequence([1], [2], 9, 'all', 9).ids]).toEqual([9, 1, 2])
  })

  it('include at least the end of the document', () => {
    const [window, ...others] = documentWindows([], 3, 2)
    expect([...window!.ids]).toEqual([0, 0])
    expect([...window!.mask]).toEqual([1, 1])
    expect(others).toEqual([])
  })
})

describe('a reference sample', () => {
  it('is the end of context and continuation, with all tokens or only the continuation’s as targets', () => {
    const all = referenceSequence([1, 2, 3], [4, 5], 3)
    expect([...all.ids]).toEqual([2, 3, 4, 5])
    expect([...all.mask]).toEqual([1, 1, 1, 1])
    const end = referenceSequence([1, 2], [3], 9, 'continuation')
    expect([...end.ids]).toEqual([0, 1, 2, 3])
    expect([...end.mask]).toEqual([0, 0, 0, 1])
  })
})

describe('the learning rate', () => {
  const schedule = { learningRate: 1, warmupSteps: 4, totalSteps: 100 }
  it('warms up linearly, then follows a cosine to a tenth and stays there', () => {
    expect(learningRateAt(0, schedule)).toBeCloseTo(0.25, 12)
    expect(learningRateAt(50, schedule)).toBeCloseTo(0.55, 12)
    expect(learningRateAt(100, schedule)).toBeCloseTo(0.1, 12)
    expect(learningRateAt(500, schedule)).toBeCloseTo(0.1, 12)
    expect(learningRateAt(0, { ...schedule, warmupSteps: 0 })).toBe(1)
  })
})
