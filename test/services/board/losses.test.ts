import { expect, test } from 'vitest'

const { againstControl, lastWith, msLeft, pointsOf, smoothed, speeds } = await import(
  new URL('../../../services/board/page/losses.js', import.meta.url).href
)

const point = (step: number, referenceLoss: number | null, atMs: number | null = step * 1000) => ({
  step,
  tokens: step * 100,
  atMs,
  referenceLoss,
})
const runOf = (name: string, ...progress: ReturnType<typeof point>[]) => ({ info: { name, steps: 100 }, progress })

test('a run is compared with its control at equal tokens, interpolated between reports and not beyond the end', () => {
  const control = runOf('control', point(0, 8), point(10, 6), point(15, null), point(20, 5))
  const run = runOf('run', point(0, 8), point(5, 6), point(10, 5.5), point(15, 5), point(25, 4))
  expect(againstControl(run, control, 'referenceLoss')).toEqual([
    { series: 'run', step: 0, tokens: 0, difference: 0 },
    { series: 'run', step: 5, tokens: 500, difference: -1 },
    { series: 'run', step: 10, tokens: 1000, difference: -0.5 },
    { series: 'run', step: 15, tokens: 1500, difference: -0.5 },
  ])
  expect(againstControl(run, runOf('new'), 'referenceLoss')).toEqual([])
  expect(againstControl(run, runOf('late', point(7, 6)), 'referenceLoss')).toEqual([])
})

test('the time left follows the pace of recent reports; a run that is done or has just begun has none', () => {
  expect(msLeft(runOf('r', point(0, null), point(20, null)))).toBe(80_000)
  const slowed = Array.from({ length: 20 }, (_, i) => point(i, null, i < 8 ? 0 : (i - 8) * 2000))
  expect(msLeft(runOf('r', ...slowed))).toBe(81 * 2000)
  expect(msLeft(runOf('r', point(0, null)))).toBeNull()
  expect(msLeft(runOf('r', point(90, null), point(100, null)))).toBeNull()
  expect(msLeft(runOf('r'))).toBeNull()
})

test('smoothed values are weighted means of those so far, and what was reported stays beside them', () => {
  const rows = [8, 4, 6].map((trainLoss, step) => ({ step, trainLoss }))
  expect(smoothed(rows, 'trainLoss', 0.5)).toEqual([
    { step: 0, trainLoss: 8, reported: 8 },
    // (0.5 x 4 + 0.25 x 8) / 0.75, then (0.5 x 6 + 0.25 x 4 + 0.125 x 8) / 0.875
    { step: 1, trainLoss: expect.closeTo(16 / 3, 12), reported: 4 },
    { step: 2, trainLoss: expect.closeTo(5 / 0.875, 12), reported: 6 },
  ])
  expect(smoothed([], 'trainLoss', 0.5)).toEqual([])
})

test('the last loss is the last that was reported', () => {
  const { progress } = runOf('r', point(0, 8), point(5, 6), point(10, null))
  expect(lastWith(progress, 'referenceLoss')).toBe(6)
  expect(lastWith(progress.slice(2), 'referenceLoss')).toBeUndefined()
})

test('points are placed by tokens, or by minutes since the run began', () => {
  const run = runOf('r', point(60, 7), point(120, null), point(180, 6))
  expect(pointsOf(run, 'referenceLoss').map(({ tokens }: { tokens: number }) => tokens)).toEqual([6000, 18_000])
  expect(pointsOf(run, 'referenceLoss', 'minutes').map(({ minutes }: { minutes: number }) => minutes)).toEqual([0, 2])
  expect(pointsOf(runOf('r', point(1, 7, null)), 'referenceLoss', 'minutes')).toEqual([])
})

test('tokens per second are computed between two reports, and never negative after a repeated step', () => {
  const run = runOf('r', point(10, null), point(20, null, 12_000), point(20, null, 14_000))
  expect(speeds(run).map(({ tokensPerSecond }: { tokensPerSecond: number }) => tokensPerSecond)).toEqual([500])
})
