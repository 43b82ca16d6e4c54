import { describe, expect, test } from 'vitest'
import { LineSplitter } from '../../../services/ingest/lines.ts'

const limits = { lineBytesMax: 1000, bytesKept: 10 }

/** All lines of a text that arrives in chunks of the given length. */
function split(text: string | Buffer, chunkBytes: number, options = limits) {
  const bytes = Buffer.from(text)
  const splitter = new LineSplitter(options)
  const lines = []
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    for (const line of splitter.push(bytes.subarray(start, start + chunkBytes))) {
      lines.push({ ...line, bytes: line.bytes.toString() })
    }
  }
  const last = splitter.end()
  if (last !== null) lines.push({ ...last, bytes: last.bytes.toString() })
  return { lines, rows: splitter.rows }
}

describe.each([1, 2, 3, 7, 1000])('in chunks of %i bytes', (chunkBytes) => {
  test('rows are numbered from 0; blank lines are counted but not returned', () => {
    const { lines, rows } = split('a\n\n \t\nbc\n\r\nd', chunkBytes)
    expect(lines.map(({ row, bytes }) => [row, bytes])).toEqual([
      [0, 'a'],
      [3, 'bc'],
      [5, 'd'],
    ])
    expect(rows).toBe(6)
  })

  test('a byte order mark is removed from the first line only', () => {
    const { lines } = split('\ufeffä\n\ufeffb\n', chunkBytes)
    expect(lines.map(({ bytes }) => bytes)).toEqual(['ä', '\ufeffb'])
  })

  test('an overlong line is cut to what is kept, and its full length is reported', () => {
    const { lines } = split(`before\n${'x'.repeat(50)}\nafter\n`, chunkBytes, { lineBytesMax: 20, bytesKept: 10 })
    expect(lines.map(({ row, bytes, byteLength, tooLong }) => [row, bytes, byteLength, tooLong])).toEqual([
      [0, 'before', 6, false],
      [1, 'xxxxxxxxxx', 50, true],
      [2, 'after', 5, false],
    ])
  })

  test('a line of exactly the limit is returned whole, even if less of a longer one would be kept', () => {
    const { lines } = split(`${'x'.repeat(20)}\n`, chunkBytes, { lineBytesMax: 20, bytesKept: 10 })
    expect(lines).toEqual([{ row: 0, bytes: 'x'.repeat(20), byteLength: 20, tooLong: false }])
  })
})

test('the beginning of an unfinished line can be asked for', () => {
  const splitter = new LineSplitter(limits)
  splitter.push(Buffer.from('a\nbro'))
  splitter.push(Buffer.from('ken'))
  expect(splitter.rest().toString()).toBe('broken')
})
