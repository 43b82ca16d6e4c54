import stringWidth from 'string-width'
import { expect, test } from 'vitest'
import { memoryIn } from '../../../services/top/memory.ts'
import { screenOf } from '../../../services/top/screen.ts'
import type { Numbers } from '../../../services/top/watch.ts'

const numbers: Numbers = {
  atMs: 0,
  documents: 6021,
  labelled: 6000,
  deadLetters: 3,
  memoryBytes: { winnow: 2 ** 30, java: 2 ** 29 },
  topics: [
    {
      topic: 'winnow.documents',
      records: 6021,
      perSecond: 1480.4,
      lags: [
        { station: 'labeler quality', records: 21 },
        { station: 'label sink', records: 0 },
      ],
    },
    { topic: 'winnow.run.multi-actor-7.progress', records: 12, perSecond: 0.2, lags: [] },
  ],
  unreadable: [],
  runs: [
    {
      run: 'multi-actor-7',
      step: 70,
      steps: 140,
      tokens: 71_680,
      tokensPerSecond: 2048,
      round: 2,
      state: 'waiting for rewards',
      waitsFor: 'answers to 500 requests of round 2; no influence worker is connected',
      control: false,
      selectsBy: null,
      roundSeconds: 4.2,
      rewardsAsked: 500,
      rewardsMissing: 7,
      selected: 1200,
      theta: { quality: 0.31, domain: 0.4, topic: 0.29 },
      trainLoss: 6.1234,
      referenceLoss: null,
      corpusLoss: 5.9,
    },
  ],
}

test('the main numbers fit on one screen, with the station that is behind', () => {
  const text = screenOf(numbers).join('\n')
  for (const part of [
    '6,021 documents, 6,000 labelled',
    'dead letters 3',
    'memory 1.50 GiB (winnow 1.00 GiB, java 0.50 GiB)',
    'waiting for rewards 4 s',
    'multi-actor-7 waits for answers to 500 requests of round 2; no influence worker is connected',
    'of 500',
    '6.123',
    'quality 0.310 domain 0.400 topic 0.290',
  ])
    expect(text).toContain(part)
  expect(text).toMatch(/documents +6,021 +1,480 +21 +labeler quality 21/)
})

test('requested and missing rewards are shown once a round is closed', () => {
  const closed = {
    ...numbers,
    runs: [{ ...numbers.runs[0]!, state: 'training' as const, waitsFor: null, roundSeconds: null }],
  }
  expect(screenOf(closed).join('\n')).toContain('493 of 500')
})

test('a control is marked as such, and a run that is training shows nothing it waits for', () => {
  const run = {
    ...numbers.runs[0]!,
    control: true,
    selectsBy: 'control: drawn at random',
    state: 'training' as const,
    waitsFor: 'the trainer to report step 80',
  }
  const text = screenOf({ ...numbers, runs: [run] }).join('\n')
  expect(text).toContain('control: drawn at random')
  expect(text).not.toContain('waits for')
})

test.each([200, 120, 100, 80, 60])('no line is wider than %i columns', (columns) => {
  for (const line of screenOf(numbers, { columns })) expect(stringWidth(line)).toBeLessThanOrEqual(columns)
})

test('a low terminal gets as many lines as fit, and a count of the rest', () => {
  const lines = screenOf(numbers, { columns: 200, rows: 6 })
  expect(lines).toHaveLength(6)
  expect(lines.at(-1)).toMatch(/^… \d+ more lines do not fit$/)
})

test('memory is that of a process and all its descendants, in whatever order they are listed', () => {
  const listing = `  30  20  1024 java
    1     0    512 init
   20     1   2048 MainThread
   31    20   1024 /usr/bin/java
   99     1   9999 other`
  expect(memoryIn(listing, 20)).toEqual({ winnow: 2048 * 1024, java: 2048 * 1024 })
  expect(memoryIn(listing, 7)).toBeUndefined()
})
