import { expect, test } from 'vitest'
import { type Summary, verdictOf } from '../../../deploy/demo/summary.ts'
import { summaryHtml } from '../../../deploy/demo/summary-html.ts'
import { summaryText } from '../../../deploy/demo/summary-text.ts'
import type { Progress } from '../../../schemas/index.ts'

const report = (step: number, referenceLoss: number, corpusLoss: number) =>
  ({ step, tokens: step * 100, referenceLoss, corpusLoss }) as Progress

test('the verdict compares final losses, and says when the run had reached the control’s final loss', () => {
  const mine = [report(0, 8, 8), report(10, 6, 7), report(20, 4, 7)]
  const theirs = [report(0, 8, 8), report(10, 6, 6), report(20, 5, 5)]
  expect(verdictOf(mine, theirs)).toEqual({
    tokens: 2000,
    referenceDifference: -1,
    otherTextDifference: 2,
    shareOfTokens: 0.75,
  })
  expect(verdictOf(theirs, mine).shareOfTokens).toBeNull()
})

const summary: Summary = {
  run: 'multi-actor-7',
  control: 'random-7',
  seed: '7',
  reference: 'addresses',
  documents: 100,
  firstSelectionSeconds: 20.04,
  round: 1,
  selected: [
    { actor: 'domain', subcategory: 'Q&A <b>', corpus: 0.25, selected: 0.5, lift: 2 },
    { actor: 'domain', subcategory: 'none', corpus: 0, selected: 0, lift: null },
  ],
  rounds: [0, 1],
  actors: [{ actor: 'domain', theta: [1, -0.25], subcategories: [{ subcategory: 'Q&A <b>', weights: [0.5, -0.125] }] }],
  losses: [
    { step: 0, tokens: 0, reference: 8, referenceControl: 8, otherText: 8, otherTextControl: 8 },
    { step: 10, tokens: 1000, reference: 6.5, referenceControl: null, otherText: 7, otherTextControl: null },
  ],
  verdict: { tokens: 1000, referenceDifference: -0.5, otherTextDifference: 0.25, shareOfTokens: null },
}

test('the text has all tables, the verdict, and a note on a theta that became negative', () => {
  const text = summaryText(summary)
  expect(text).toMatch(/domain +Q&A <b> +25\.0% +50\.0% +2\.00×/)
  expect(text).toContain('First selection 20.0 s after the start.')
  expect(text).toContain('at 1000 tokens: −0.500. Price on other text: +0.250.')
  expect(text).toContain("multi-actor-7 did not reach random-7's final reference loss.")
  expect(text).toContain('Theta of domain is negative in the end: the weights count the other way round')
  expect(text).toContain('held-out State of the Union addresses')
})

test('the page is a single file that loads nothing, runs no script and escapes names', () => {
  const page = summaryHtml(summary)
  expect(page).not.toMatch(/<script|src=|href=|url\(|@import/)
  expect(page).toContain('Q&amp;A &lt;b&gt;')
  expect(page).not.toContain('Q&A <b>')
  expect(page).toContain('<td class="n">2.00×</td>')
  expect(page).toMatch(/<path class="run" d="M48\.0 12\.0L490\.0 226\.0"\/>/)
  expect(page).toContain('First selection 20.0 s after the start.')
})
