import { expect, test } from 'vitest'
import { defaultTolerances, judge, type Life, type Seen, slopeOf } from './verdict.ts'

const tolerances = { ...defaultTolerances, memoryMiBPerHour: 20, warmUpSeconds: 100, judgedSecondsMin: 1000 }
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
    why: '0.0 MiB an hour over 1900 s, tolerated 20, in the longest of 3 lives',
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
