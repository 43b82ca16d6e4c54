import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { formatOf } from '../../../../services/ingest/formats/detect.ts'
import { foreignError } from '../../../../services/ingest/formats/refusal.ts'
import { row, rows } from '../support.ts'

const format = (head: string | Buffer, name = 'data', whole = true) =>
  formatOf({ head: Buffer.from(head as string), whole }, name)
const latin1 = (text: string) => Buffer.from(text, 'latin1')

/** What is said of a file, and what to do about it. */
async function refusal(head: string | Buffer, path = 'f') {
  const found = await format(head, path)
  if (found.kind !== 'foreign') return found.kind
  const { message, hint } = foreignError([{ name: path, path, format: found }])
  return [message, hint]
}

function tar(header: 'ustar' | 'v7'): Buffer {
  const block = Buffer.alloc(1024)
  block.write('a.jsonl')
  block.write('0000644', 100)
  if (header === 'ustar') block.write('ustar', 257)
  block.fill(' ', 148, 156)
  const sum = block.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  block.write(row('in a tar') + row('second'), 512)
  return block
}

test.each([
  ['plain', Buffer.from(rows(3)), 'none'],
  ['gzip', gzipSync(rows(3)), 'gzip'],
  ['Zstandard', zstdCompressSync(rows(3)), 'zstd'],
])('rows are recognized in %s, whatever the name', async (_name, head, compression) => {
  for (const name of ['a', 'a.jsonl', 'a.JSONL.GZ', 'a.zst', 'a.parquet', 'a.json']) {
    expect(await format(head, name)).toEqual({ kind: 'lines', compression })
  }
})

test('Parquet is recognized whatever the name, and an empty file has no rows', async () => {
  expect(await format('PAR1....', 'a.jsonl')).toEqual({ kind: 'parquet' })
  for (const name of ['a.jsonl', 'a.gz', 'a.parquet']) expect((await format('', name)).kind).toBe('lines')
})

describe('an unsupported format is named, with what to do', () => {
  test.each<[string, Buffer | string, string, RegExp | string]>([
    ['xz', latin1('\xfd7zXZ\0\0'), 'compressed with xz', 'xz -dc f | winnow ingest --name f -'],
    ['bzip2', 'BZh91AY&SY', 'compressed with bzip2', 'bzip2 -dc f | winnow ingest --name f -'],
    ['LZ4', latin1('\x04\x22\x4d\x18'), 'compressed with LZ4', /^lz4 -dc f \|/],
    ['zip', 'PK\x03\x04', 'a zip archive', /unzip/],
    ['7z', latin1('7z\xbc\xaf\x27\x1c'), 'a 7z archive', /7z x/],
    ['tar', tar('ustar'), 'a tar archive', /tar -xf/],
    ['tar of old', tar('v7'), 'a tar archive', /tar -xf/],
    ['Arrow', 'ARROW1\0\0', 'an Arrow or Feather file', /pyarrow.ipc.open_file/],
    ['Arrow stream', latin1('\xff\xff\xff\xff\xa0\0\0\0'), 'an Arrow stream', /open_stream/],
    ['LFS', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n', 'a Git LFS pointer', /git lfs pull/],
    ['HTML', '\n<!DOCTYPE html>\n<html>', 'an HTML or XML page', /download the file again/],
    ['XML', '<?xml version="1.0"?><Error>', 'an HTML or XML page', /download the file again/],
    ['UTF-16', Buffer.from('\ufeff{"text":"a"}', 'utf16le'), 'text in UTF-16, not in UTF-8', /^iconv -f UTF-16 -t/],
    ['UTF-16 without mark', Buffer.from('{"text":"a"}', 'utf16le'), 'text in UTF-16LE', /^iconv -f UTF-16LE -t/],
    ['UTF-32', latin1('\xff\xfe\0\0{\0\0\0'), 'text in UTF-32, not in UTF-8', /^iconv -f UTF-32 -t/],
    ['array', '[{"text":"a"},\n{"text":"b"}]', 'a JSON array, not JSON lines', /^jq -c '\.\[\]' f \|/],
    ['array in lines', '\ufeff[\n  {"text":"a"}\n]', 'a JSON array, not JSON lines', /^jq -c '\.\[\]' f \|/],
    ['pretty', '{\n  "text": "a"\n}', 'JSON over several lines', /^jq -c \. f \|/],
    ['binary', latin1('\x01\x02\x03\x99\xfe'), 'binary data that winnow does not know', /decrypt/],
    ['encrypted', 'Salted__\x01\x02', 'encrypted by openssl', /decrypt it first/],
    [
      'a dictionary',
      latin1('\x28\xb5\x2f\xfd\x01\x00\x4d\x01\x00\x00'),
      'dictionary (77)',
      /^zstd -dc -D DICTIONARY f \|/,
    ],
    ['gzip twice', gzipSync(gzipSync(rows(1))), 'gzip of data that is gzip once more', /^gzip -dc f \| winnow/],
    ['tar.gz', gzipSync(tar('ustar')), 'gzip of data that is a tar archive', /gzip -dc.*tar -xf/],
    ['xz in zstd', zstdCompressSync(latin1('\xfd7zXZ\0')), 'xz', /^zstd -dc --long=31 f \| xz -dc \| winnow ingest/],
    ['array in gzip', gzipSync('[{"text":"a"}]'), 'a JSON array', /^gzip -dc f \| jq -c '\.\[\]' \| winnow/],
    ['Parquet in gzip', gzipSync('PAR1....'), 'gzip of data that is Parquet', /gzip -dc/],
  ])('%s', async (_name, head, message, hint) => {
    const [said, todo] = await refusal(head)
    expect(said).toContain(`f is `)
    expect(said).toContain(message)
    expect(todo).toMatch(hint)
  })

  test.each([
    ['a.parquet', 'text that is none', 'not the Parquet that its name says'],
    ['a.PARQUET', '\0'.repeat(2000), 'not the Parquet that its name says'],
    ['a.jsonl.gz', 'text that is none', 'not the gzip that its name says'],
    ['a.json.gzip', 'x', 'not the gzip that its name says'],
    ['a.zst', 'text that is none', 'not the Zstandard that its name says'],
    ['a.jsonl.bz2', 'x', 'not the bzip2 that its name says'],
    ['a.csv', 'text,url\n"a",b\n', 'a table of text, not JSON lines'],
    ['a.gz', '<html>', 'an HTML or XML page, as servers send in place of a file'],
  ])('a name that promises another format: %s', async (name, head, what) => {
    expect((await refusal(head, name))[0]).toBe(`${name} is ${what}`)
  })

  test('a file cut off within its first bytes is left to its reader', async () => {
    expect((await format(latin1('\x28\xb5'), 'a.zst')).kind).toBe('lines')
    expect((await format(gzipSync(rows(9)).subarray(0, 12), 'a.gz')).kind).toBe('lines')
  })
})

test.each([
  ['a bad first row', `not json\n${rows(2)}`],
  ['an array as first row', `[1, 2]\n${rows(2)}`],
  ['zeros before rows', `${'\0'.repeat(100)}\n${rows(2)}`],
  ['bytes that are no UTF-8', Buffer.concat([latin1('{"text": "\xe9"}\n'), Buffer.from(rows(2))])],
  ['no rows at all, but text', 'a\tb\n1\t2\n'],
])('bad rows do not make a file an unsupported format: %s', async (_name, head) => {
  expect((await format(head)).kind).toBe('lines')
})

test('one error names all unsupported files, quoted for the shell', async () => {
  const found = await format('BZh9')
  if (found.kind !== 'foreign') throw new Error('it is bzip2')
  const sources = [1, 2].map((index) => ({ name: `it's ${index}`, path: `d/it's ${index}`, format: found }))
  const { code, message, hint } = foreignError(sources)
  expect(code).toBe('CONFIGURATION')
  expect(message).toBe("d/it's 1 is compressed with bzip2; d/it's 2 is compressed with bzip2")
  expect(hint).toContain("bzip2 -dc 'd/it'\\''s 1' | winnow ingest --name 'it'\\''s 1' -")
})
