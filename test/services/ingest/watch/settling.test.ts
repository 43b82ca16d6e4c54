import { expect, test } from 'vitest'
import { type FileVersion, Settling } from '../../../../services/ingest/watch/settling.ts'

const version = (byteLength: number, modifiedMs = 0): FileVersion => ({ byteLength, modifiedMs })

test('a file has settled when its size and modification time have not changed for the given time', () => {
  const settling = new Settling(5000)
  settling.touched('a')
  expect(settling.take(1000)).toEqual([])
  settling.observed('a', version(10), 1000)
  expect(settling.take(5999)).toEqual([])
  expect(settling.take(6000)).toEqual(['a'])
  expect(settling.pending).toEqual([])
  expect(settling.take(99_000)).toEqual([])
})

test.each([
  ['longer', version(11, 0)],
  ['of another time', version(10, 1)],
])('a file that becomes %s waits again', (_how, changed) => {
  const settling = new Settling(5000)
  settling.touched('a')
  settling.observed('a', version(10), 1000)
  settling.observed('a', changed, 4000)
  settling.observed('a', changed, 6000)
  expect(settling.take(8999)).toEqual([])
  expect(settling.take(9000)).toEqual(['a'])
})

test('files that have settled are returned in the order of their names; the others remain', () => {
  const settling = new Settling(5000)
  for (const name of ['c', 'a', 'b']) settling.touched(name)
  for (const name of ['c', 'a']) settling.observed(name, version(1), 0)
  settling.observed('b', version(1), 1)
  expect(settling.take(5000)).toEqual(['a', 'c'])
  expect(settling.pending).toEqual(['b'])
})

test('a version that was returned is not returned again; a new one is', () => {
  const settling = new Settling(0)
  settling.touched('a')
  settling.observed('a', version(1), 0)
  expect(settling.take(0)).toEqual(['a'])
  settling.touched('a')
  settling.observed('a', version(1), 1)
  expect(settling.take(1)).toEqual([])
  expect(settling.pending).toEqual([])
  settling.touched('a')
  settling.observed('a', version(2), 2)
  expect(settling.take(2)).toEqual(['a'])
})

test('a file that disappears is forgotten, and counts as new when it reappears', () => {
  const settling = new Settling(0)
  settling.touched('a')
  settling.observed('a', version(1), 0)
  expect(settling.take(0)).toEqual(['a'])
  settling.touched('a')
  settling.observed('a', null, 1)
  expect(settling.pending).toEqual([])
  settling.touched('a')
  settling.observed('a', version(1), 2)
  expect(settling.take(2)).toEqual(['a'])
})
