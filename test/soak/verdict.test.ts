import { expect, test } from 'vitest'
import { defaultTolerances, judge, type Life, type Seen, slopeOf } from './verdict.ts'

const tolerances = { ...defaultTolerances, memoryMiBPerHour: 20, warmUpSeconds: 100, judgedSecondsMin: 1000 }
/** Resident memory as it is between collections: garbage of a young generation, and of an old one that is collected every few minutes. */
const garbage = (at: number) => 0.8 * (at % 20) + 0.1 * (at % 170)
/** A sample every 5 seconds. */
const life = (process: string, seconds: number, residentMiB: (at: number) => number, from = 0): Life => {
  const atSeconds = Array.from({ length: seconds / 5 + 1 }, (_, i) => from + 5 * i)
  return { process, atSeconds, residentMiB: atSeconds.map((at) => residentMiB(at - from)) }
}
const calm: Seen = { guarantees: [], lives: [], lags: [{ atSeconds: 9, documents: 0 }], documentsInBurst: 100 }
const findingsOf = (seen: Partial<Seen>) => {
  const { held, lines } = judge({ ...calm, ...seen }, tolerances)
  return { held, lines: lines.map(({ what, finding }) => `${what}: ${finding}`) }
}

test('memory that fills caches and then swings between collections is flat; one that grows under the swings is not', () => {
  const swings = (at: number) => 300 + Math.min(at, 100) + (at % 60)
  expect(findingsOf({ lives: [life('a', 3600, swings)] })).toEqual({
    held: true,
    lines: ['memory of a is flat: held', 'lag is bounded: held'],
  })
  const grows = (at: number) => swings(at) + (30 * at) / 3600
  expect(findingsOf({ lives: [life('a', 3600, grows), life('b', 3600, swings)] })).toEqual({
    held: false,
    lines: ['memory of a is flat: broken', 'memory of b is flat: held', 'lag is bounded: held'],
  })
})

test.each([0, 10, 21, 40, 80, 400])(
  'of %i MiB that are lost in an hour exactly those above the tolerance are called broken',
  (lost) => {
    const { lines } = judge(
      { ...calm, lives: [life('a', 3600, (at) => 300 + garbage(at) + (lost * at) / 3600)] },
      tolerances,
    )
    expect(lines[0]!.finding).toBe(lost > 20 ? 'broken' : 'held')
    expect(Math.abs(Number.parseFloat(lines[0]!.why) - lost)).toBeLessThan(1 + lost / 10)
  },
)

test('a cache that fills for the first third of a life is no leak, one that never stops is', () => {
  const filled = (bound: number) => life('a', 3600, (at) => 300 + garbage(at) + Math.min(bound, at / 10))
  expect(findingsOf({ lives: [filled(120)] }).lines[0]).toBe('memory of a is flat: held')
  expect(findingsOf({ lives: [filled(360)] }).lines[0]).toBe('memory of a is flat: broken')
})

test('garbage of which more is let be from some time on is no leak, and hides none', () => {
  // As seen of a young generation, whose size V8 changes between 13 and 55 MiB.
  const young = (at: number) => ((at < 2400 ? 13 : 55) * (at % 120)) / 120
  const lost = (perHour: number) => life('a', 3600, (at) => 200 + young(at) + (perHour * at) / 3600)
  const found = [0, 40].map((perHour) => judge({ ...calm, lives: [lost(perHour)] }, tolerances).lines[0]!.finding)
  expect(found).toEqual(['held', 'broken'])
})

test('a short life is not judged, and of several the longest is', () => {
  const steep = (at: number) => 100 + at
  expect(findingsOf({ lives: [life('a', 900, steep)] })).toMatchObject({
    held: true,
    lines: ['memory of a is flat: not judged', expect.anything()],
  })
  const lives = [life('a', 900, steep), life('a', 2000, () => 100, 900), life('a', 300, steep, 2900)]
  const { lines } = judge({ ...calm, lives }, tolerances)
  expect(lines[0]).toEqual({
    what: 'memory of a is flat',
    finding: 'held',
    why: '0.0 MiB an hour over 1330 s, tolerated 20, in the longest of 3 lives',
  })
})

test('a broken promise, or documents that go on waiting when it is calm, are said with what was seen', () => {
  const guarantees = [
    { promise: 'every document is labelled', broken: null },
    { promise: 'every round comes out again', broken: 'winnow replay ended with 6' },
  ]
  expect(findingsOf({ guarantees })).toEqual({
    held: false,
    lines: ['every document is labelled: held', 'every round comes out again: broken', 'lag is bounded: held'],
  })
  const lags = [200, 201, 50].map((documents, i) => ({ atSeconds: 60 * i, documents }))
  expect(judge({ ...calm, lags }, tolerances).lines).toEqual([
    {
      what: 'lag is bounded',
      finding: 'broken',
      why: 'at most 201 documents waited when it was calm, 60 s in; tolerated 200',
    },
  ])
  expect(findingsOf({ lags: [] }).lines).toEqual(['lag is bounded: not judged'])
})

test('the slope is that of a line, whatever a tenth of the points do', () => {
  const line = Array.from({ length: 1000 }, (_, x) => [x, 3 * x + 1] as const)
  expect(slopeOf(line)).toBeCloseTo(3, 9)
  expect(slopeOf(line.map(([x, y]) => [x, x % 10 === 0 ? 1e6 : y] as const))).toBeCloseTo(3, 0)
  expect(slopeOf([[1, 1]])).toBe(0)
})
