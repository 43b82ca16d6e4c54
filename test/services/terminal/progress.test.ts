import { expect, test } from 'vitest'
import { Counter, whileWaiting } from '../../../services/terminal/progress.ts'

function onScreen(isTTY: boolean, columns = 200) {
  const screen = { text: '', isTTY, columns, write: (text: string) => (screen.text += text) }
  const time = { nowMs: 0 }
  const counter = new Counter(screen, () => time.nowMs, { doing: 'labelling', unit: 'documents' })
  return { screen, time, counter }
}

test('progress of less than a second is not shown', () => {
  const { screen, time, counter } = onScreen(true)
  counter.at(1, 10)
  time.nowMs = 999
  counter.at(10, 10)
  counter.end()
  expect(screen.text).toBe('')
})

test('a terminal shows a bar, the share, the time left and the rate of this process alone', () => {
  const { screen, time, counter } = onScreen(true)
  counter.at(4000, 10_000)
  time.nowMs = 2000
  counter.at(5000, 10_000)
  expect(screen.text).toBe(
    `\r\x1b[2K${'█'.repeat(12)}${'░'.repeat(12)}  50%  ETA 0:10  labelling  5,000 of 10,000 documents  500 documents/s`,
  )
})

test('what takes minutes a piece is counted by the minute, and parts of a piece count for the time left', () => {
  const { screen, time, counter } = onScreen(true)
  counter.at(0, 4)
  time.nowMs = 60_000
  counter.at(1.5, 4)
  expect(screen.text).toContain('ETA 1:40  labelling  1 of 4 documents  1.5 documents/min')
})

test('without a terminal plain lines are printed, at most one every two seconds', () => {
  const { screen, time, counter } = onScreen(false)
  for (time.nowMs = 0; time.nowMs <= 5000; time.nowMs += 100) counter.at(time.nowMs, null)
  counter.clear()
  expect(screen.text.split('\n')).toEqual([
    'labelling  2,000 documents  1,000 documents/s',
    'labelling  4,000 documents  1,000 documents/s',
    '',
  ])
})

test('clearing the line leaves the terminal as it was', () => {
  const { screen, time, counter } = onScreen(true)
  time.nowMs = 1500
  counter.at(1, 2)
  const drawn = screen.text.length
  counter.clear()
  counter.clear()
  expect(screen.text.slice(drawn)).toBe('\r\x1b[2K')
})

test('a bar is never wider than the terminal', () => {
  const { screen, time, counter } = onScreen(true, 40)
  time.nowMs = 1500
  counter.at(1, 2)
  expect(screen.text.replace('\r\x1b[2K', '').length).toBe(39)
})

test('waiting passes on the result or the failure', async () => {
  const { screen } = onScreen(true)
  expect(await whileWaiting(screen, () => 0, 'connecting', Promise.resolve(5))).toBe(5)
  await expect(whileWaiting(screen, () => 0, 'connecting', Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(screen.text).toBe('')
})
