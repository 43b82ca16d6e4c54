import { expect, test } from 'vitest'
import { defaultLimits } from '../../../../services/ingest/limits.ts'
import { lineOf, parsers } from '../../../../services/ingest/parquet/json-line.ts'
import { parseRow } from '../../../../services/ingest/row.ts'

const line = (value: unknown) => lineOf(0, [['value', value]], defaultLimits).bytes.toString()

test.each([
  ['null', null, 'null'],
  ['nothing', undefined, 'null'],
  ['an integer of 64 bits', 2n ** 64n - 1n, '18446744073709551615'],
  ['a number', -1.5, '-1.5'],
  ['no number', Number.NaN, 'null'],
  ['an infinite number', Number.POSITIVE_INFINITY, 'null'],
  ['a truth value', false, 'false'],
  ['a string', 'ä"\n\ud800', '"ä\\"\\n\\ud800"'],
  ['bytes that are UTF-8', Buffer.from('ä'), '"ä"'],
  ['bytes that are not', Buffer.from([0xff, 0]), '{"base64":"/wA="}'],
  ['a list', [1n, null, ['x']], '[1,null,["x"]]'],
  ['an object', { a: { 'b"': 2n ** 60n }, c: undefined }, '{"a":{"b\\"":1152921504606846976},"c":null}'],
])('%s', (_what, value, json) => {
  expect(line(value)).toBe(`{"value":${json}}`)
})

test.each([
  ['milliseconds', parsers.timestampFromMilliseconds(-1n), '1969-12-31T23:59:59.999Z'],
  ['microseconds', parsers.timestampFromMicroseconds(1_700_000_000_000_001n), '2023-11-14T22:13:20.000001Z'],
  ['nanoseconds', parsers.timestampFromNanoseconds(-1n), '1969-12-31T23:59:59.999999999Z'],
  ['days', parsers.dateFromDays(-1), '1969-12-31'],
  ['a count too far away for a date', parsers.timestampFromMilliseconds(2n ** 62n), 4611686018427387904n],
  [
    'a UUID',
    parsers.uuidFromBytes(Buffer.from('00112233445566778899aabbccddeeff', 'hex')),
    '00112233-4455-6677-8899-aabbccddeeff',
  ],
])('%s', (_what, value, expected) => {
  expect(value).toBe(expected)
})

test('a JSON column is embedded as it is, or as a string if it is not JSON', () => {
  expect(line(parsers.jsonFromBytes(Buffer.from('{"n": 123456789012345678901}')))).toBe(
    '{"value":{"n": 123456789012345678901}}',
  )
  expect(line(parsers.jsonFromBytes(Buffer.from('{"NaN": NaN}')))).toBe('{"value":{"NaN": null}}')
  expect(line(parsers.jsonFromBytes(Buffer.from('{"n')))).toBe('{"value":"{\\"n"}')
  expect(line(parsers.jsonFromBytes(Buffer.from([0xff])))).toBe('{"value":{"base64":"/w=="}}')
})

test('excessively nested JSON is a rejected row', () => {
  const deep = parsers.jsonFromBytes(Buffer.from('['.repeat(200_000) + ']'.repeat(200_000)))
  const row = lineOf(
    0,
    [
      ['text', 'x'],
      ['deep', deep],
    ],
    defaultLimits,
  )
  expect(parseRow(row)).toMatchObject({ reason: 'not-json', message: expect.stringContaining('nested too deep') })
})

test('a row that repeats a long entry many times is too long before it is built', () => {
  const entry = Buffer.alloc(1_000_000, 'a')
  const row = lineOf(
    7,
    [
      ['text', entry],
      ['list', Array(10_000).fill(entry)],
    ],
    { lineBytesMax: 2_000_000, bytesKept: 5 },
  )
  expect(row).toMatchObject({ row: 7, tooLong: true, byteLength: 4 + 1_000_000 + 4 + 10_000 * 1_000_001 })
  expect(row.bytes.toString()).toBe('aaaaa')
})

test.each([
  [
    'another name',
    [
      ['id', 'short'],
      ['raw_content', Buffer.from('a long text')],
    ],
    'a long',
  ],
  ['a struct', [['data', { id: 'x', body: 'a long text' }]], 'a long'],
  [
    'a column of JSON',
    [
      ['text', 'short'],
      ['meta', parsers.jsonFromBytes(Buffer.from('{"a": "long"}'))],
    ],
    '{"a": ',
  ],
  ['bytes that are split', [['text', 'ääääääääää']], 'äää'],
  ['no string at all', [['list', Array(20).fill(1)]], ''],
] as const)('of a row that is too long the beginning of its longest string is kept: %s', (_where, columns, kept) => {
  const row = lineOf(0, columns, { lineBytesMax: 8, bytesKept: 6 })
  expect(row).toMatchObject({ tooLong: true })
  expect(row.bytes.toString()).toBe(kept)
})
