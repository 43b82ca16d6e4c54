import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { checkFiles } from '../../../services/ingest/lines-of-file.ts'
import { openRows } from '../../../services/ingest/open-rows.ts'
import { parquetRows } from './parquet/support.ts'
import { folder, rows } from './support.ts'

async function linesOf(path: string, standardInput?: AsyncIterable<Buffer>) {
  const reader = await openRows(path, standardInput && { standardInput })
  const lines: [number, string][] = []
  for await (const chunk of reader.chunks()) {
    for (const { row, bytes } of chunk.lines) lines.push([row, Buffer.from(bytes).toString('utf8')])
  }
  return lines
}

const wanted = [
  [0, '{"text":"row 0"}'],
  [1, '{"text":"row 1"}'],
]

test.each([
  ['plain', Buffer.from(`\ufeff${rows(2)}`)],
  ['gzip', gzipSync(rows(2))],
  ['Zstandard', zstdCompressSync(rows(2))],
  ['Parquet', parquetRows(2)],
])('returns the rows of %s as JSON lines, recognized by the first bytes', async (_name, content) => {
  expect(await linesOf(join(folder({ 'a.any': content }), 'a.any'))).toMatchObject(wanted)
})

test('reads standard input', async () => {
  async function* input() {
    yield zstdCompressSync(rows(2))
  }
  expect(await linesOf('-', input())).toEqual(wanted)
})

test('a truncated file throws after the rows before the break', async () => {
  const whole = gzipSync(rows(2))
  const path = join(folder({ a: Buffer.concat([whole, Buffer.from('garbage')]) }), 'a')
  const reader = await openRows(path)
  const seen: number[] = []
  const all = async () => {
    for await (const { lines } of reader.chunks()) for (const { row } of lines) seen.push(row)
  }
  await expect(all()).rejects.toMatchObject({ reason: 'corrupt-file' })
  expect(seen).toEqual([0, 1])
})

test.each([
  ['missing.jsonl', /cannot read/],
  ['xz.jsonl', /xz\.jsonl is compressed with xz/],
  ['', /is a folder/],
])('an unreadable source is a configuration error: %s', async (name, message) => {
  const path = join(folder({ 'xz.jsonl': Buffer.from('\xfd7zXZ\0', 'latin1') }), name)
  await expect(openRows(path)).rejects.toMatchObject({ code: 'CONFIGURATION', message: expect.stringMatching(message) })
})

test.each([
  ['hdfs://h/k/a.jsonl.gz', 'hdfs dfs -cat hdfs://h/k/a.jsonl.gz | winnow ingest --name a.jsonl.gz -'],
  ['FTP://h/a b', "curl -f 'FTP://h/a b' | winnow ingest --name 'a b' -"],
  ['webhdfs://h/a', 'rclone cat webhdfs://h/a'],
  ['file:///tmp/a%20b', 'give the path alone: /tmp/a b'],
])('an address of a kind that is not read is refused with the command that pipes it: %s', async (path, hint) => {
  await expect(openRows(path, { receiver: 'ingest' })).rejects.toMatchObject({
    code: 'CONFIGURATION',
    hint: expect.stringContaining(hint),
  })
})

test.each([
  ['deduplicate', '| winnow deduplicate -'],
  ['label', '| winnow labeler label --actor ACTOR -'],
  ['file', '> rows-rows.jsonl'],
] as const)('hints lead back to the command that reads: %s', async (receiver, hint) => {
  const path = join(
    folder({ 'rows.jsonl.xz': Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 1, 2, 3]) }),
    'rows.jsonl.xz',
  )
  await expect(openRows(path, { receiver })).rejects.toMatchObject({ hint: expect.stringContaining(hint) })
  await expect(checkFiles([path], receiver)).rejects.toMatchObject({ hint: expect.stringContaining(hint) })
  const remote = openRows('oci://bucket/rows.jsonl.gz', { receiver })
  const way = receiver === 'file' ? 'copy it: rclone copy oci://bucket/rows.jsonl.gz .' : hint
  await expect(remote).rejects.toMatchObject({ hint: expect.stringContaining(way) })
})
