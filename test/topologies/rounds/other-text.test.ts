import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as otherText from '../../../topologies/rounds/other-text.ts'
import type { OtherBound } from '../../../topologies/selection/other-bound.ts'

const { lossAfter, OtherLosses, otherTextInWords } = otherText
/** After a round that drew nothing from the natural mixture. */
const otherTextOf = (
  other: OtherBound,
  own: readonly otherText.OtherLoss[],
  control: readonly otherText.OtherLoss[],
  before = 0,
) => otherText.otherTextOf(other, own, control, before)

const report = (step: number, loss: number) => ({ step, tokens: step * 100, loss })
const control = [report(0, 8), report(10, 7), report(20, 6)]

test('up to half of the bound nothing is natural, at the bound everything, and between them the share rises evenly', () => {
  const shareAt = (growth: number, more: object = {}) =>
    otherTextOf({ bound: 0.2, against: 5, ...more }, [report(10, 5 + growth)], []).share
  expect([-1, 0, 0.1, 0.125, 0.15, 0.2, 3].map((growth) => shareAt(growth))).toEqual([0, 0, 0, 0.25, 0.5, 1, 1])
  expect([0, 0.05, 0.1, 0.2].map((growth) => shareAt(growth, { from: 0 }))).toEqual([0, 0.25, 0.5, 1])
  fc.assert(
    fc.property(fc.double({ min: -1, max: 1, noNaN: true }), fc.double({ min: -1, max: 1, noNaN: true }), (a, b) => {
      const [less, more] = [Math.min(a, b), Math.max(a, b)]
      expect(shareAt(less)).toBeLessThanOrEqual(shareAt(more))
      // Whole millionths, so that its product with a budget is exact.
      expect(Math.round(shareAt(a) * 1e6) / 1e6).toBe(shareAt(a))
    }),
  )
})

test('the share rises at once, and falls by no more than an eighth from one round to the next, or by what is configured', () => {
  const after = (before: number, growth: number, more: object = {}) =>
    otherTextOf({ bound: 0.2, against: 5, ...more }, [report(10, 5 + growth)], [], before).share
  expect([0, 0.1, 0.125, 0.6, 1].map((before) => after(before, 0))).toEqual([0, 0, 0, 0.475, 0.875])
  expect([0, 0.2, 1].map((before) => after(before, 0.2))).toEqual([1, 1, 1])
  expect([0, 0.5, 0.9].map((before) => after(before, 0.15))).toEqual([0.5, 0.5, 0.775])
  expect([0.1, 1].map((before) => after(before, 0, { fall: 0.25 }))).toEqual([0, 0.75])
  expect(after(1, 0, { fall: 1 })).toBe(0)
  // What can be held against nothing falls likewise.
  expect(otherTextOf({ bound: 1 }, [], [], 1).share).toBe(0.875)
  expect(otherTextOf({ bound: 1, share: 0.9 }, [], [], 1).share).toBe(0.9)
})

test('a loss is held against that of another run after as many tokens, of the last report that both have', () => {
  const other = { bound: 1, against: 'control' }
  expect(otherTextOf(other, [report(10, 7.5)], control)).toEqual({ share: 0, step: 10, loss: 7.5, heldAgainst: 7 })
  expect(otherTextOf(other, [report(10, 7.5), report(15, 7.25)], control)).toEqual({
    ...{ share: 0.5, step: 15, loss: 7.25, heldAgainst: 6.5 },
  })
  // The other run has not come as far as step 30 yet.
  expect(otherTextOf(other, [report(20, 7), report(30, 9)], control)).toMatchObject({ step: 20, share: 1 })
})

test('without another run it is held against the lowest that the run has reported', () => {
  const own = [report(0, 4), report(10, 3), report(20, 3.75)]
  expect(otherTextOf({ bound: 1 }, own, [])).toEqual({ share: 0.5, step: 20, loss: 3.75, heldAgainst: 3 })
  expect(otherTextOf({ bound: 1 }, own.slice(0, 2), [])).toMatchObject({ share: 0, heldAgainst: 3 })
})

test('what can be held against nothing draws nothing, or what the configuration begins with', () => {
  const unknown = { step: null, loss: null, heldAgainst: null }
  expect(otherTextOf({ bound: 1, against: 'control' }, [], control)).toEqual({ share: 0, ...unknown })
  expect(otherTextOf({ bound: 1, against: 'control' }, [report(10, 99)], [])).toEqual({ share: 0, ...unknown })
  expect(otherTextOf({ bound: 1, share: 0.25 }, [], [])).toEqual({ share: 0.25, ...unknown })
})

test('a step that is reported again counts once, as it was reported last; losses that are not finite do not', () => {
  const losses = new OtherLosses()
  const learn = (step: number, corpusLoss: number | null) => losses.learn({ step, tokens: step * 100, corpusLoss })
  for (const [step, loss] of [
    [20, 5],
    [10, 7],
    [20, 6],
    [30, Number.NaN],
    [40, null],
  ] as const)
    learn(step, loss)
  expect(losses.all).toEqual([report(10, 7), report(20, 6)])
})

test('between two reports a loss is on the line between them, and beyond them there is none', () => {
  expect([0, 500, 1500, 2000].map((tokens) => lossAfter(control, tokens))).toEqual([8, 7.5, 6.5, 6])
  expect(lossAfter(control, 2001)).toBeUndefined()
  expect(lossAfter(control.slice(1), 999)).toBeUndefined()
  expect(lossAfter([], 0)).toBeUndefined()
})

test('in words it says what is drawn and by what it is drawn', () => {
  expect(otherTextInWords(otherTextOf({ bound: 1, against: 5 }, [report(10, 5.75)], []))).toBe(
    '50% from the natural mixture: loss on other text 5.750 at step 10, +0.750 over 5.000',
  )
  expect(otherTextInWords(otherTextOf({ bound: 1 }, [], []))).toBe(
    '0% from the natural mixture: no loss on other text to hold against anything yet',
  )
})
