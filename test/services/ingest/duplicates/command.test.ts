import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, expect, test } from 'vitest'
import { type DeduplicateOptions, deduplicate } from '../../../../services/ingest/duplicates/command.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-deduplicate-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, bytes: Uint8Array | string): string {
  writeFileSync(join(folder, name), bytes)
  return join(folder, name)
}

const row = (text: string, more: object = {}) => JSON.stringify({ text, ...more })
const lines = (...rows: (string | Uint8Array)[]) =>
  Buffer.concat(rows.flatMap((one) => [Buffer.from(one), Buffer.from('\n')]))

async function run(files: string[], options: Partial<DeduplicateOptions> = {}) {
  const [kept, excluded]: Uint8Array[][] = [[], []]
  const { counts, failure } = await deduplicate(
    files,
    { nearSimilarity: undefined, ...options },
    async (bytes) => void kept!.push(bytes),
    async (bytes) => void excluded!.push(bytes),
  )
  return { counts, failure, kept: Buffer.concat(kept!), excluded: Buffer.concat(excluded!).toString() }
}

test('unique rows pass unchanged, and for each row left out the reason is given', async () => {
  const long = Array.from({ length: 600 }, (_, i) => `word${i}`).join(' ')
  const rows = [row('one', { id: 1 }), 'no json', row(long, { id: 2 })]
  const first = file('a.jsonl', `${rows.join('\n')}\n`)
  const second = file('b.jsonl.gz', gzipSync(`${row('one', { id: 3 })}\n${row(`${long} end`)}\n${row('two')}`))
  const { counts, kept, excluded, failure } = await run([first, second], { nearSimilarity: 0.8 })
  expect(failure).toBeUndefined()
  expect(counts).toEqual({ rows: 6, kept: 4, exact: 1, near: 1 })
  expect(kept).toEqual(lines(...rows, row('two')))
  const found = excluded.trim().split('\n')
  expect(found.map((line) => JSON.parse(line))).toEqual([
    {
      file: second,
      line: 0,
      reason: 'exact-duplicate',
      of: { file: first, line: 0 },
      similarity: 1,
      row: { text: 'one', id: 3 },
    },
    expect.objectContaining({ file: second, line: 1, reason: 'near-duplicate', of: { file: first, line: 2 } }),
  ])
})

const three = lines(row('one'), row('two'), row('one'))
const column = (name: string, data: unknown[]) => ({ name, data, type: 'STRING' as const })

test.each([
  ['Zstandard', 'rows.jsonl.zst', zstdCompressSync(three)],
  ['Zstandard under another name', 'rows.jsonl', zstdCompressSync(three)],
  ['gzip under another name', 'rows', gzipSync(three)],
  ['a byte order mark and Windows line ends', 'rows.jsonl', `\ufeff${three.toString().replaceAll('\n', '\r\n')}`],
  ['blank lines', 'rows.jsonl', `\n${three.toString().replaceAll('\n', '\n\n')}`],
  [
    'Parquet',
    'rows.parquet',
    new Uint8Array(parquetWriteBuffer({ columnData: [column('text', ['one', 'two', 'one'])] })),
  ],
])('%s is read the way ingest reads it', async (_, name, bytes) => {
  const { counts, kept, failure } = await run([file(name, bytes)])
  expect(failure).toBeUndefined()
  expect(counts).toEqual({ rows: 3, kept: 2, exact: 1, near: 0 })
  expect(kept.toString().replaceAll('\r', '')).toBe(lines(row('one'), row('two')).toString())
})

test('rows that are not UTF-8 pass byte for byte, and are never duplicates', async () => {
  const latin1 = (text: string) => Buffer.from(row(text), 'latin1')
  const given = lines(latin1('caf\u00e9'), latin1('caf\u00e8'), latin1('caf\u00e9'), row('one'))
  const { counts, kept, excluded } = await run([file('latin1.jsonl', given)], { nearSimilarity: 0.8 })
  expect(counts).toEqual({ rows: 4, kept: 4, exact: 0, near: 0 })
  expect(kept).toEqual(given)
  expect(excluded).toBe('')
})

test('a row that is left out is written as JSON with every digit', async () => {
  const rows = ['{"text":"t","id":123456789012345678901}', '{"id" : 123456789012345678902, "x": NaN, "text":"t"}']
  const { kept, excluded } = await run([file('digits.jsonl', lines(...rows))])
  expect(kept).toEqual(lines(rows[0]!))
  expect(excluded).toContain('"row":{"id" : 123456789012345678902, "x": null, "text":"t"}}\n')
  expect(JSON.parse(excluded)).toMatchObject({ line: 1, row: { text: 't', x: null } })
})

test('the byte order mark of each of several files is dropped', async () => {
  const files = ['bom-1', 'bom-2'].map((name) => file(name, `\ufeff${row('one')}\n${row(name)}\n`))
  const { counts, kept } = await run(files)
  expect(counts).toEqual({ rows: 4, kept: 3, exact: 1, near: 0 })
  expect(kept).toEqual(lines(row('one'), row('bom-1'), row('bom-2')))
})

test('the text may be in another field', async () => {
  const rows = ['{"data":{"body":"a"},"n":1}', '{"data":{"body":"a"},"n":2}']
  const { counts } = await run([file('body.jsonl', lines(...rows))], { textField: 'data.body' })
  expect(counts).toMatchObject({ kept: 1, exact: 1 })
})

test('files that cannot be read are refused together before anything is written', async () => {
  const files = [
    file('good.jsonl', three),
    file('a.xz', Buffer.from('fd377a585a0000', 'hex')),
    file('b.zip', 'PK\x03\x04'),
  ]
  const kept: unknown[] = []
  const running = deduplicate(
    files,
    { nearSimilarity: undefined },
    async (bytes) => void kept.push(bytes),
    async () => {},
  )
  await expect(running).rejects.toMatchObject({
    code: 'CONFIGURATION',
    message: expect.stringMatching(/a\.xz is compressed with xz; .*b\.zip is a zip archive/),
  })
  expect(kept).toEqual([])
})

test('a truncated file and one without any text are reported after everything readable has passed', async () => {
  const whole = gzipSync(lines(...Array.from({ length: 5000 }, (_, i) => row(`row ${i}`))))
  const cut = file('cut.jsonl.gz', whole.subarray(0, -20))
  const other = file('raw_content.jsonl', lines('{"raw_content":"a"}', '{"raw_content":"b"}'))
  const { counts, kept, failure } = await run([cut, other, file('good.jsonl', three)])
  expect(counts.rows).toBeGreaterThan(4000)
  expect(kept.toString().trim().split('\n')).toHaveLength(counts.kept)
  expect(kept.toString()).toContain(row('two'))
  expect(failure).toMatchObject({
    code: 'BAD_DATA',
    message: expect.stringMatching(
      /cut\.jsonl\.gz breaks off in line \d+: .*none of the 2 rows of .*raw_content\.jsonl has a text/,
    ),
  })
})

test('a line beyond ingest’s limit is counted, and no part of it passes', async () => {
  const { counts, kept, excluded } = await run([file('long.jsonl', lines(row('x'.repeat(65 * 2 ** 20)), row('one')))])
  expect(counts).toEqual({ rows: 2, kept: 1, exact: 0, near: 0, tooLong: 1 })
  expect(kept).toEqual(lines(row('one')))
  expect(JSON.parse(excluded)).toMatchObject({ line: 0, reason: 'too-long-line', bytes: 65 * 2 ** 20 + 11 })
})

const cases = join(import.meta.dirname, '../../../../../shared/cases')
test.skipIf(!existsSync(cases))('the cases that were found (skipped without ../shared/cases)', async () => {
  const at = (name: string) => join(cases, name)
  expect((await run([at('dedup-zst.jsonl.zst')])).counts).toEqual({ rows: 3, kept: 2, exact: 1, near: 0 })
  expect((await run([at('dedup-gzip-without-extension.jsonl')])).counts).toMatchObject({ rows: 2, exact: 1 })
  const latin1 = await run([at('dedup-latin1.jsonl')])
  expect(latin1.counts).toMatchObject({ rows: 2, kept: 2 })
  expect(latin1.kept.equals(readFileSync(at('dedup-latin1.jsonl')))).toBe(true)
  expect((await run([at('dedup-bigint.jsonl')])).excluded).toContain('"id":123456789012345678902}')
  const near = await run([at('near-cjk-one-character.jsonl')], { nearSimilarity: 0.8 })
  expect(near.counts).toEqual({ rows: 2, kept: 1, exact: 0, near: 1 })
})
