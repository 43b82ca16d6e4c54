import { expect, test } from 'vitest'
import { type ParsedRow, parseRow, type Rejection } from '../../../services/ingest/row.ts'

const parse = (line: string | Buffer) => {
  const bytes = Buffer.from(line)
  return parseRow({ row: 0, bytes, byteLength: bytes.length, tooLong: false })
}

test('the text is extracted and the rest is kept as JSON', () => {
  expect(parse('{"text":"one","meta":{"redpajama_set_name":"RedPajamaBook"},"n":1}\r')).toEqual({
    text: 'one',
    meta: '{"meta":{"redpajama_set_name":"RedPajamaBook"},"n":1}',
  })
})

test('a row of text alone has an empty object for meta', () => {
  expect(parse('{"text":"one"}')).toEqual({ text: 'one', meta: '{}' })
})

test('integers that float64 cannot hold keep their digits', () => {
  const row = parse('{"text":"t","id":18446744073709551615,"ids":[-9223372036854775808,7],"x":1.5}') as ParsedRow
  expect(row.meta).toBe('{"id":18446744073709551615,"ids":[-9223372036854775808,7],"x":1.5}')
})

test.each([
  ['{"text":"t","meta":{"ppl":NaN}}', '{"meta":{"ppl":null}}'],
  ['{"text":"t","a":[Infinity,-Infinity, NaN ],"b":1.5}', '{"a":[null,null,null],"b":1.5}'],
  ['{"text":"t","a":NaN,"id":18446744073709551615}', '{"a":null,"id":18446744073709551615}'],
  [
    '{"text":"t","s":"NaN, -Infinity and \\"NaN\\" \\\\","NaN":NaN}',
    '{"s":"NaN, -Infinity and \\"NaN\\" \\\\","NaN":null}',
  ],
  ['{"text":"t","x":1e400,"y":-1e400}', '{"x":null,"y":null}'],
])('NaN, infinities and numbers beyond float64 become null: %s', (line, meta) => {
  expect(parse(line)).toEqual({ text: 't', meta })
})

test('the word NaN within a text is kept, even in a text of megabytes', () => {
  const text = 'NaN \\ Infinity '.repeat(500_000)
  expect((parse(`{"text":${JSON.stringify(text)},"x":NaN}`) as ParsedRow).text).toBe(text)
})

test.each([
  '{"text":"t","x":nan}',
  '{"text":"t","x":NaNs}',
  '{"text":"t","x":--Infinity}',
  '{"text":"t","x":NaN',
  '{"text":"NaN',
])('other invalid JSON is reported as it was: %s', (line) => {
  const said = () => JSON.parse(line)
  expect(said).toThrow()
  try {
    said()
  } catch (error) {
    expect(parse(line)).toEqual({ reason: 'not-json', message: `the line is not JSON: ${(error as Error).message}` })
  }
})

test('a lone surrogate becomes the replacement character, a pair stays', () => {
  expect((parse('{"text":"a\\ud800b \\ud83d\\ude00"}') as ParsedRow).text).toBe('a\ufffdb \u{1f600}')
})

test.each([
  ['not-json', '{"text": "broken'],
  ['not-json', '["text"]'],
  ['not-json', 'null'],
  ['not-json', '"text"'],
  ['no-text', '{"meta":{}}'],
  ['no-text', '{"text":null}'],
  ['no-text', '{"text":7}'],
  ['empty-text', '{"text":""}'],
  ['empty-text', '{"text":" \\n\\t"}'],
  ['not-json', `{"text":"deep","a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`],
  ['not-utf8', Buffer.from([0x7b, 0xff, 0x7d])],
])('a row is rejected as %s: %.40s', (reason, line) => {
  expect((parse(line) as Rejection).reason).toBe(reason)
})
