import { appendFileSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { defaultLimits } from '../../../../services/ingest/limits.ts'
import { parquetReader } from '../../../../services/ingest/parquet/read.ts'
import { noProgress } from '../../../../services/ingest/progress.ts'
import { warningOf } from '../../../../services/ingest/sentences.ts'
import { MemoryKafka } from '../memory-kafka.ts'
import { expectSameWhenKilled, expectSameWhenStopped, folder, killsOf, row, rows, run } from '../support.ts'
import { pagesAt, parquetOf, parquetRows, withFooter, withoutPages } from './support.ts'

const golden = join(import.meta.dirname, 'golden')
const texts = (kafka: MemoryKafka) => kafka.documents.map(({ text }) => text)
const rowTexts = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `row ${from + index}`)

/** Rows of a file from one row on, as lines, through the reader alone. */
async function linesOf(bytes: Buffer, rowFirst = 0, limits = {}, progress = noProgress) {
  const path = join(folder({ 'a.parquet': bytes }), 'a.parquet')
  const reader = parquetReader(
    { file: { path, byteLength: bytes.length }, rowFirst },
    { ...defaultLimits, ...limits },
    progress,
  )
  const lines = []
  for await (const chunk of reader.chunks()) lines.push(...chunk.lines)
  return lines
}

describe.each(['zstd.parquet', 'codecs.parquet'])("pyarrow's %s", (name) => {
  test('yields the same documents and dead letters as its rows as JSON lines', async () => {
    const [lines, parquet] = [new MemoryKafka(), new MemoryKafka()]
    await run(lines, [join(golden, 'rows.jsonl')])
    await run(parquet, [join(golden, name)])
    expect(parquet.documents).toEqual(lines.documents)
    expect(parquet.documents.map(({ docId }) => docId)).toEqual([0n, 1n, 2n, 3n, 6n, 7n, 8n, 9n, 10n])
    const asTold = (kafka: MemoryKafka) =>
      kafka.deadLetters.map(({ reason, line, value }) => ({ reason, line, row: JSON.parse(String(value)) }))
    expect(asTold(parquet)).toEqual(asTold(lines))
    expect(parquet.deadLetters.map(({ reason, line }) => [reason, line])).toEqual([
      ['no-text', 5],
      ['empty-text', 6],
    ])
  })

  test('keeps all digits of 64-bit integers, preserves nesting, and marks bytes that are not text', async () => {
    const kafka = new MemoryKafka()
    await run(kafka, [join(golden, name)])
    const { meta } = kafka.documents[1]!
    expect(meta).toContain('"id":-9223372036854775807,"hash":18446744073709551614')
    expect(JSON.parse(meta)).toMatchObject({
      meta: { redpajama_set_name: 'RedPajamaBook', depth: { level: 1 } },
      tags: ['tag 1'],
      at: '1969-12-31T23:59:59.123457Z',
      at_nanoseconds: '2023-11-14T22:13:20.123456790Z',
      day: '2026-11-02',
      bytes: { base64: '/wD+' },
    })
  })
})

describe('a Parquet file', () => {
  test('is found in folders by its name, and recognized by its first bytes whatever its name', async () => {
    const path = folder({ 'a.jsonl': row('line'), 'b.parquet': parquetRows(1), 'c.jsonl': parquetRows(2) })
    mkdirSync(join(path, 'sub'))
    copyFileSync(join(path, 'b.parquet'), join(path, 'sub', 'part-0.parquet'))
    const kafka = new MemoryKafka()
    const { sources } = await run(kafka, [path])
    expect(sources.map(({ name, documents }) => [name, documents])).toEqual([
      ['a.jsonl', 1],
      ['b.parquet', 1],
      ['c.jsonl', 2],
      ['sub/part-0.parquet', 1],
    ])
    expect(texts(kafka)).toEqual(['line', 'row 0', 'row 0', 'row 1', 'row 0'])
  })

  test('is refused on standard input', async () => {
    const kafka = new MemoryKafka()
    const standardInput = (async function* () {
      yield parquetRows(3)
    })()
    await expect(run(kafka, ['-'], { standardInput })).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: 'standard input is a Parquet file, which is read from its end',
    })
    expect(kafka.topics.size).toBe(0)
  })

  test('without rows is ingested; without a text column every row is a dead letter', async () => {
    const kafka = new MemoryKafka()
    const path = folder({
      'a.parquet': parquetRows(0),
      'b.parquet': parquetOf([{ name: 'body', data: ['x', 'y'], type: 'STRING' }]),
    })
    expect(await run(kafka, [path])).toMatchObject({
      ...{ documents: 0, rejected: 2, failed: 1 },
      sources: [{ outcome: 'ingested' }, { outcome: 'refused', reasons: { 'no-text': 2 }, fields: ['body'] }],
    })
    expect(kafka.deadLetters.map(({ reason, origin }) => [reason, origin])).toEqual([
      ['no-text', `${join(path, 'b.parquet')}:1`],
      ['no-text', `${join(path, 'b.parquet')}:2`],
    ])
    expect(String(kafka.deadLetters[1]!.value)).toBe('{"body":"y"}')
  })

  test('that was ingested adds nothing when ingested again, and may not grow', async () => {
    const kafka = new MemoryKafka()
    const path = join(folder({ 'a.parquet': parquetRows(6) }), 'a.parquet')
    await run(kafka, [path])
    const transactions = kafka.transactions
    expect((await run(kafka, [path])).sources[0]).toMatchObject({ outcome: 'already', documentsTotal: 6 })
    appendFileSync(path, parquetRows(8))
    const [source] = (await run(kafka, [path])).sources
    expect(source).toMatchObject({ outcome: 'other-content', why: expect.stringContaining('it is Parquet and grew') })
    expect(kafka.transactions).toBe(transactions)
  })

  test('with an overlong row keeps the beginning of its text as a dead letter', async () => {
    const kafka = new MemoryKafka()
    const data = ['short', 'ä'.repeat(3000), '"'.repeat(1900), 'last']
    const path = folder({ 'a.parquet': parquetOf([{ name: 'text', data, type: 'STRING' }]) })
    await run(kafka, [path], { limits: { lineBytesMax: 2000, bytesKept: 100 } })
    expect(texts(kafka)).toEqual(['short', 'last'])
    const [long, escaped] = kafka.deadLetters
    expect(long).toMatchObject({ reason: 'too-long-line', line: 2 })
    expect(String(long!.value)).toBe('ä'.repeat(50))
    expect(escaped).toMatchObject({ reason: 'too-long-line', line: 3 })
    expect(String(escaped!.value)).toMatch(/^\{"text":"(\\"){45}\\$/)
  })

  test('moves the progress bar from start to end, also after a resumption', async () => {
    const bytes = parquetRows(12)
    for (const rowFirst of [0, 3, 4, 9]) {
      let read = 0
      const readCompressed = (count: number) => {
        read += count
      }
      await linesOf(bytes, rowFirst, {}, { ...noProgress, readCompressed })
      expect(read).toBe(bytes.length)
    }
  })
})

describe('however an ingest of Parquet ends, the next one resumes with nothing doubled or lost', () => {
  // Batches end within row groups, at their ends and behind them.
  const data = Array.from({ length: 14 }, (_, index) => (index % 5 === 4 ? null : `row ${index}`))
  const files = { 'a.parquet': parquetOf([{ name: 'text', data, type: 'STRING' }]), 'b.jsonl': rows(5) }
  const limits = { limits: { rowsMax: 3 } }

  test.each(killsOf(7))('killed at transaction $transaction, committed: $committed', async (kill) => {
    const whole = await expectSameWhenKilled(folder(files), kill, limits)
    expect(whole.documents).toHaveLength(17)
  })

  test('stopped after every batch', () => expectSameWhenStopped(folder(files), limits))

  test('row groups before the first wanted row are not read', async () => {
    const bytes = withoutPages(withoutPages(parquetRows(14), 0), 1)
    const lines = await linesOf(bytes, 9)
    expect(lines.map(({ row, bytes }) => [row, String(bytes)])).toEqual(
      [9, 10, 11, 12, 13].map((row) => [row, `{"text":"row ${row}"}`]),
    )
  })
})

describe('a damaged Parquet file', () => {
  const whole = parquetRows(14)

  test('that lacks its footer yields no row until it is complete, and the other files are ingested', async () => {
    const kafka = new MemoryKafka()
    const path = folder({ 'a.parquet': whole.subarray(0, whole.length - 30), 'b.jsonl': rows(2) })
    const result = await run(kafka, [path])
    expect(result.sources.map(({ outcome, documents }) => [outcome, documents])).toEqual([
      ['damaged', 0],
      ['ingested', 2],
    ])
    expect(kafka.deadLetters[0]).toMatchObject({ reason: 'truncated-file', origin: `${join(path, 'a.parquet')}:1` })
    expect(await run(kafka, [path])).toMatchObject({ failed: 1, documents: 0, rejected: 0 })
    writeFileSync(join(path, 'a.parquet'), whole)
    expect(await run(kafka, [path])).toMatchObject({ failed: 0, documents: 14 })
    expect(texts(kafka)).toEqual(['row 0', 'row 1', ...rowTexts(0, 14)])
  })

  test('yields the rows before the unreadable row group, and a dead letter with the row', async () => {
    const kafka = new MemoryKafka()
    const path = folder({ 'a.parquet': withoutPages(whole, 2), 'b.jsonl': rows(1) })
    const result = await run(kafka, [path], { limits: { rowsMax: 3 } })
    expect(result).toMatchObject({ failed: 1, documents: 9, rejected: 1 })
    expect(texts(kafka)).toEqual([...rowTexts(0, 8), 'row 0'])
    expect(kafka.deadLetters[0]).toMatchObject({ reason: 'corrupt-file', line: 9 })
    expect(kafka.deadLetters[0]!.message).toMatch(/4 rows from row 9 on cannot be read: .*, in row 9; 8 rows before it/)
    expect(kafka.sources.get('a.parquet')).toMatchObject({ rowNext: 8, complete: false })
  })

  test('with a page whose checksum does not match yields the rows before it', async () => {
    const bytes = readFileSync(join(golden, 'zstd.parquet'))
    // Within the dictionary of the texts of the last row group.
    bytes[pagesAt(bytes, 2).start + 100]! ^= 1
    const kafka = new MemoryKafka()
    const result = await run(kafka, [folder({ 'a.parquet': bytes })])
    expect(result).toMatchObject({ failed: 1, documents: 6 })
    expect(kafka.deadLetters.at(-1)).toMatchObject({
      line: 9,
      message: expect.stringContaining('a page does not have the checksum that its header gives'),
    })
  })

  test.each([
    ['four bytes', Buffer.from('PAR1'), 'truncated-file'],
    ['a footer that is none', Buffer.from(whole).fill(0xff, whole.length - 60, whole.length - 8), 'corrupt-file'],
    [
      'a footer longer than the file',
      Buffer.concat([whole, Buffer.from([0, 0, 0, 0x40]), Buffer.from('PAR1')]),
      'corrupt-file',
    ],
    [
      'a row group of -1 rows',
      withFooter(whole, (footer) => {
        footer.row_groups[1]!.num_rows = -1n
      }),
      'corrupt-file',
    ],
    [
      'pages behind its end',
      withFooter(whole, (footer) => {
        footer.row_groups[0]!.columns[0]!.meta_data!.data_page_offset = 10n ** 9n
      }),
      'corrupt-file',
    ],
    [
      'more rows than values',
      withFooter(whole, (footer) => {
        footer.row_groups[0]!.num_rows = 1_000_000_000n
      }),
      'corrupt-file',
    ],
    [
      'no column',
      withFooter(whole, (footer) => {
        footer.row_groups[0]!.columns = []
      }),
      'corrupt-file',
    ],
  ])('with %s is reported as damaged', async (_what, bytes, reason) => {
    const kafka = new MemoryKafka()
    const path = folder({ 'a.parquet': bytes })
    expect(await run(kafka, [path])).toMatchObject({ failed: 1, documents: 0 })
    expect(kafka.deadLetters.map((letter) => letter.reason)).toEqual([reason])
  })
})

/** pyarrow's file with one wrong byte: the length of a run of definition levels becomes hundreds of millions. */
function endless(): Buffer {
  const bytes = readFileSync(join(golden, 'codecs.parquet'))
  bytes[1166] = 0xe7
  return bytes
}

test('a signal ends an ingest while a row group is being decompressed', async () => {
  const stop = new AbortController()
  setTimeout(() => stop.abort(), 1000)
  const kafka = new MemoryKafka()
  const path = folder({ 'a.jsonl': rows(2), 'b.parquet': endless() })
  const result = await run(kafka, [path], { signal: stop.signal })
  expect(result).toMatchObject({ stopped: true, documents: 2, rejected: 0 })
  expect(kafka.deadLetters).toEqual([])
})

test('a wrong byte that would keep the decoder busy for hours makes the file a damaged one', async () => {
  const kafka = new MemoryKafka()
  const result = await run(kafka, [folder({ 'a.parquet': endless(), 'b.jsonl': rows(1) })], {
    limits: { rowGroupMsMax: 1000 },
  })
  expect(result.sources.map(({ outcome, documents }) => [outcome, documents])).toEqual([
    ['damaged', 0],
    ['ingested', 1],
  ])
  expect(kafka.deadLetters[0]).toMatchObject({
    reason: 'corrupt-file',
    message: expect.stringContaining('a row group is not unpacked after 1 s'),
  })
})

describe('memory is bounded', () => {
  const limits = { rowGroupBytesMax: 100_000, rowGroupValuesMax: 1000 }
  const long = () => parquetOf([{ name: 'text', data: ['x'.repeat(200_000)], type: 'STRING' }])

  test('a large row group is read in parts: pages of each column for a range of rows at a time', async () => {
    const data = Array.from({ length: 3000 }, (_, i) => `row ${i} ${'word '.repeat(i % 40)}`)
    const some = (value: (i: number) => unknown) => data.map((_, i) => value(i))
    const columns = (pageSize?: number) =>
      parquetOf(
        [
          { name: 'text', data, type: 'STRING' },
          { name: 'n', data: some((i) => (i % 3 === 0 ? null : BigInt(i))), type: 'INT64', nullable: true },
          { name: 'set', data: some((i) => `set ${i % 5}`), type: 'STRING' },
        ],
        { rowGroupSize: 3000, ...(pageSize !== undefined && { pageSize }) },
      )
    const whole = await linesOf(columns())
    const shown = (lines: readonly { row: number; bytes: Buffer }[]) => lines.map(({ row, bytes }) => `${row} ${bytes}`)
    for (const pageSize of [500, 5_000, 20_000]) {
      const parts = await linesOf(columns(pageSize), 0, { rowGroupBytesMax: 60_000, rowGroupValuesMax: 9_000 })
      expect(shown(parts)).toEqual(shown(whole))
      const later = await linesOf(columns(pageSize), 1234, { rowGroupBytesMax: 60_000, rowGroupValuesMax: 9_000 })
      expect(shown(later)).toEqual(shown(whole.slice(1234)))
    }
  })

  test('pages of a single row beyond the limit are reported; with a higher limit the file is read on', async () => {
    const kafka = new MemoryKafka()
    const path = folder({ 'a.jsonl': rows(1), 'b.parquet': long() })
    const result = await run(kafka, [path], { limits })
    expect(result).toMatchObject({ failed: 1, documents: 1 })
    expect(result.sources.map(({ outcome, documents }) => [outcome, documents])).toEqual([
      ['ingested', 1],
      ['too-large', 0],
    ])
    expect(kafka.deadLetters).toMatchObject([
      {
        reason: 'too-large',
        message: expect.stringMatching(
          /^the pages of row 1 have 200\d+ bytes and 1 values, the limits are 100000 and 1000, in row 1; 0 rows/,
        ),
      },
    ])
    expect(warningOf(result.sources[1]!)).toContain('Raise corpus.rowGroupBytesMax')
    const higher = { limits: { ...limits, rowGroupBytesMax: 300_000 } }
    expect(await run(kafka, [path], higher)).toMatchObject({ failed: 0, documents: 1 })
    expect(
      await run(kafka, [folder({ 'c.parquet': parquetRows(2000, { rowGroupSize: 500 }) })], { limits }),
    ).toMatchObject({ documents: 2000 })
  })

  const lies = [
    ['bytes', long(), /it has 200\d+ bytes, the limit is 100000/],
    ['values', parquetRows(2000, { rowGroupSize: 2000 }), /it has 2000 values, the limit is 1000/],
  ] as const

  test.each(lies)(
    'a footer that lies about the %s of a row group does not get it decompressed',
    async (_what, honest, message) => {
      const lying = withFooter(honest, ({ row_groups: [group] }) => {
        group!.columns[0]!.meta_data!.total_uncompressed_size = 10n
        group!.columns[0]!.meta_data!.num_values = 1n
        group!.num_rows = 1n
      })
      const kafka = new MemoryKafka()
      const result = await run(kafka, [folder({ 'a.parquet': lying })], { limits })
      expect(result).toMatchObject({ failed: 1, documents: 0 })
      expect(kafka.deadLetters[0]).toMatchObject({ reason: 'corrupt-file', message: expect.stringMatching(message) })
    },
  )

  test('delta-encoded strings that would take too much memory are abandoned', async () => {
    // 10,000 strings of 50 kB are a page of some tens of kilobytes.
    const data = Array<string>(10_000).fill('x'.repeat(50_000))
    const bytes = parquetOf([{ name: 'text', data, type: 'STRING', encoding: 'DELTA_BYTE_ARRAY' }], {
      rowGroupSize: data.length,
    })
    expect(bytes.length).toBeLessThan(200_000)
    const kafka = new MemoryKafka()
    const result = await run(kafka, [folder({ 'a.parquet': bytes, 'b.jsonl': rows(1) })], {
      limits: { rowGroupMemoryMax: 200 * 2 ** 20 },
    })
    expect(result.sources.map(({ outcome, documents }) => [outcome, documents])).toEqual([
      ['damaged', 0],
      ['ingested', 1],
    ])
    expect(kafka.deadLetters[0]!.message).toContain('a row group takes more memory than it may')
  })
})
