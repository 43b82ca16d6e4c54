import { expect, test } from 'vitest'
import { besideText, pairsOf } from '../../../deploy/demo/beside.ts'
import type { Progress } from '../../../schemas/index.ts'

const report = (step: number, referenceLoss: number | null) =>
  ({ step, tokens: step * 100, referenceLoss }) as unknown as Progress

test('losses of the two trainers stand side by side at equal steps, the last of those that were reported twice', () => {
  const pairs = pairsOf(
    [report(0, 8), report(5, null), report(10, 6), report(20, 5)],
    [report(0, 8), report(10, 7), report(10, 6.0625)],
  )
  expect(pairs).toEqual([
    { step: 0, tokens: 0, typescript: 8, python: 8 },
    { step: 10, tokens: 1000, typescript: 6, python: 6.0625 },
    { step: 20, tokens: 2000, typescript: 5, python: null },
  ])
  const text = besideText({ runs: [{ typescript: 'random-7', python: 'random-python-7', losses: pairs }] })
  expect(text).toMatch(/step +tokens +random-7 +random-python-7 +difference/)
  expect(text).toMatch(/10 +1000 +6\.0000 +6\.0625 +0\.0625/)
  expect(text).toMatch(/20 +2000 +5\.0000 +– +–/)
})
