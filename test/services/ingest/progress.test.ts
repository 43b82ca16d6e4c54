import { expect, test } from 'vitest'
import { createProgress } from '../../../services/ingest/progress.ts'

/** A progress on a screen of its own and a clock that is set by hand. */
function onScreen(isTTY: boolean, columns = 200) {
  const screen = { text: '', isTTY, columns, write: (text: string) => (screen.text += text) }
  const time = { nowMs: 0 }
  return { screen, time, progress: createProgress(screen, () => time.nowMs) }
}

test('without a terminal a plain line is printed every two seconds', () => {
  const { screen, time, progress } = onScreen(false)
  progress.begin([1000, 3000])
  progress.source('a.jsonl.gz')
  progress.readCompressed(1000)
  time.nowMs = 1900
  progress.read(3000, 4_000_000)
  expect(screen.text).toBe('')
  time.nowMs = 2000
  progress.wrote(2999, 1)
  expect(screen.text).toBe(
    ' 25%  ETA 0:06  3,000 rows  1,500 rows/s  2.0 MB/s  2,999 documents  1 rejected  a.jsonl.gz (1/2)\n',
  )
})

test('on a terminal a single line is redrawn, never wider than the terminal', () => {
  const { screen, time, progress } = onScreen(true, 60)
  progress.begin([1000])
  progress.source('a.jsonl')
  progress.readCompressed(500)
  time.nowMs = 1000
  progress.read(10, 1000)
  progress.read(11, 1000)
  time.nowMs = 2000
  progress.end()
  const draws = screen.text.split('\r\x1b[2K').slice(1)
  expect(draws).toHaveLength(2)
  expect(draws[0]).toMatch(/^█{12}░{12} {2}50% {2}ETA 0:01 {2}10 rows {2}10 rows\/s/)
  expect(draws[1]?.endsWith('\n')).toBe(true)
  for (const draw of draws) expect(draw.trimEnd().length).toBeLessThan(60)
})

test('a file that is read ahead of its rows is not done before they are', () => {
  const { screen, time, progress } = onScreen(false)
  const shownAt = (seconds: number, act: () => void) => {
    const before = screen.text.length
    time.nowMs = seconds * 1000
    act()
    return screen.text.slice(before).slice(0, 14)
  }
  progress.begin([1000, 1000, 2000])
  progress.source('a.jsonl')
  progress.readCompressed(1000)
  expect(shownAt(2, () => progress.read(500, 9000))).toBe(' 25%  ETA 0:06')
  progress.source('b.jsonl')
  progress.readCompressed(1000)
  // 750 of about 2,000 rows.
  expect(shownAt(6, () => progress.read(250, 9000))).toBe(' 37%  ETA 0:10')
  progress.source('c.jsonl')
  progress.readCompressed(2000)
  expect(shownAt(10, () => progress.read(5000, 9000))).toBe(' 99%  ETA 0:01')
  expect(shownAt(12, () => progress.end())).toBe('100%  ETA 0:00')
})

test('for standard input no remaining time is estimated', () => {
  const { screen, time, progress } = onScreen(false)
  progress.begin([null])
  progress.source('stdin')
  time.nowMs = 2000
  progress.read(4, 10)
  expect(screen.text).toBe('4 rows  2 rows/s  0.0 MB/s  0 documents  stdin\n')
})

test('nothing is printed if nothing is read', () => {
  const { screen, progress } = onScreen(true)
  progress.begin([])
  progress.end()
  expect(screen.text).toBe('')
})
