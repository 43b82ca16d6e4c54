import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, describe, expect, test } from 'vitest'
import { lineBytesMax, readLines } from '../../../services/simulate/lines.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-lines-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function lines(content: string | Buffer, name = 'lines.jsonl'): Promise<(string | null)[]> {
  const path = join(folder, name)
  writeFileSync(path, content)
  const found: (string | null)[] = []
  await readLines(
    path,
    (bytes, start, end, line) => {
      expect(line).toBe(found.length + 1)
      found.push(bytes === null ? null : bytes.toString('utf8', start, end))
    },
    () => undefined,
  )
  return found
}

describe('lines of a file', () => {
  test.each([
    ['an empty file', '', []],
    ['one line', 'a\n', ['a']],
    ['no line break at the end', 'a\nb', ['a', 'b']],
    ['empty lines, which count', '\na\n\n\nb\n\n', ['', 'a', '', '', 'b', '']],
    ['line breaks of Windows, left to the reader', 'a\r\nb\r\n', ['a\r', 'b\r']],
  ])('%s', async (_, content, expected) => {
    expect(await lines(content)).toEqual(expected)
    expect(await lines(gzipSync(content), 'lines.jsonl.gz')).toEqual(expected)
  })

  test('are complete across read blocks, even with multi-byte characters at the boundaries', async () => {
    const expected = Array.from({ length: 3000 }, (_, i) => `${i}:${'ä€😀'.repeat((i * 37) % 400)}`)
    expect(await lines(expected.join('\n'))).toEqual(expected)
    expect(await lines(gzipSync(expected.join('\n')), 'seams.gz')).toEqual(expected)
  })

  test('may come from a compressed file with several members', async () => {
    expect(await lines(Buffer.concat([gzipSync('a\nb'), gzipSync('c\nd\n')]), 'members.gz')).toEqual(['a', 'bc', 'd'])
  })

  test.each([
    ['Zstandard', zstdCompressSync('a\n\nb\n')],
    ['gzip under another name', gzipSync('a\n\nb')],
  ])('of a file in %s are read, recognized by its first bytes', async (_, content) => {
    expect(await lines(content)).toEqual(['a', '', 'b'])
  })

  test('of Parquet are its rows as JSON', async () => {
    const columnData = [
      { name: 'docId', data: ['1', '18446744073709551615'], type: 'STRING' as const },
      { name: 'tokens', data: [2n, 3n], type: 'INT64' as const },
    ]
    expect(await lines(Buffer.from(parquetWriteBuffer({ columnData })), 'labels.parquet')).toEqual([
      '{"docId":"1","tokens":2}',
      '{"docId":"18446744073709551615","tokens":3}',
    ])
  })

  test('an unsupported format is an error that says what to do', async () => {
    await expect(lines(Buffer.from('fd377a585a000000', 'hex'))).rejects.toMatchObject({
      code: 'CONFIGURATION',
      hint: expect.stringContaining('xz -dc'),
    })
  })

  test('a line beyond the limit is skipped, the next is read', async () => {
    expect(await lines(`a\n${'x'.repeat(lineBytesMax + 1)}\nb`)).toEqual(['a', null, 'b'])
    expect(await lines('x'.repeat(lineBytesMax + 1))).toEqual([null])
  })

  test('a truncated compressed file is an error that names it', async () => {
    const whole = gzipSync(Array.from({ length: 10_000 }, (_, i) => `${Math.sin(i)}\n`).join(''))
    const error = await lines(whole.subarray(0, whole.length / 2), 'truncated.gz').catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'BAD_DATA' })
    expect((error as Error).message).toContain('truncated.gz')
  })
})
