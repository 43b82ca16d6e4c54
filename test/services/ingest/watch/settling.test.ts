import { expect, test } from 'vitest'
import { type FileVersion, Settling } from '../../../../services/ingest/watch/settling.ts'

const version = (byteLength: number, modifiedMs = 0): FileVersion => ({ byteLength, modifiedMs })

test('a file is whole when length and time have stayed for the time given', () => {
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
])('a file that became %s waits again', (_how, changed) => {
  const settling = new Settling(5000)
  settling.touched('a')
  settling.observed('a', version(10), 1000)
  settling.observed('a', changed, 4000)
  settling.observed('a', changed, 6000)
  expect(settling.take(8999)).toEqual([])
  expect(settling.take(9000)).toEqual(['a'])
})

test('several that are whole come in the order of their names, the others stay', () => {
  const settling = new Settling(5000)
  for (const name of ['c', 'a', 'b']) settling.touched(name)
  for (const name of ['c', 'a']) settling.observed(name, version(1), 0)
  settling.observed('b', version(1), 1)
  expect(settling.take(5000)).toEqual(['a', 'c'])
  expect(settling.pending).toEqual(['b'])
})

test('a version that was taken is not given again, another one is', () => {
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

test('a file that is gone is forgotten, and is new when it comes again', () => {
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
