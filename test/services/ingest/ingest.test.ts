import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { asDocumentId, topics } from '../../../schemas/index.ts'
import { documentId, idsOf, placeOf } from '../../../services/ingest/document-id.ts'
import { MemoryKafka, text } from './memory-kafka.ts'
import { expectSameWhenKilled, expectSameWhenStopped, folder, killsOf, row, rows, run } from './support.ts'

describe('ids', () => {
  test('encode source and row, counting blank lines', async () => {
    const kafka = new MemoryKafka()
    const path = folder({ 'a.jsonl': row('a0'), 'b.jsonl': `\n${row('b1')}\r\n${row('b3')}` })
    await run(kafka, [path])
    expect(kafka.documents.map(({ docId, text }) => [docId, text])).toEqual([
      [0n, 'a0'],
      [(1n << 40n) + 1n, 'b1'],
      [(1n << 40n) + 3n, 'b3'],
    ])
    expect(placeOf(asDocumentId((1n << 40n) + 3n))).toEqual({ source: 1, row: 3, piece: 0 })
    expect(placeOf(documentId(5, 2 ** 32 - 1, 255))).toEqual({ source: 5, row: 2 ** 32 - 1, piece: 255 })
    expect(idsOf(5)).toEqual({ first: 5n << 40n, last: (6n << 40n) - 1n })
  })

  test('do not change when sources are added; new sources get the next number', async () => {
    const kafka = new MemoryKafka()
    const path = folder({ 'm.jsonl': row('m') })
    await run(kafka, [path])
    writeFileSync(join(path, 'a.jsonl'), row('a'))
    await run(kafka, [path])
    expect([...kafka.sources.values()].map(({ name, source }) => [name, source])).toEqual([
      ['m.jsonl', 0],
      ['a.jsonl', 1],
    ])
    expect(kafka.documents.map(({ docId }) => docId)).toEqual([0n, 1n << 40n])
  })

  test('are the record’s key in decimal; the client chooses the partition', async () => {
    const kafka = new MemoryKafka()
    await run(kafka, [folder({ 'a.jsonl': row('x') + row('y') })])
    expect(kafka.topics.get(topics.documents.name)?.map(({ key, partition }) => [key, partition])).toEqual([
      ['0', undefined],
      ['1', undefined],
    ])
  })
})

test('documents carry an estimate of their tokens and the row without its text', async () => {
  const kafka = new MemoryKafka()
  await run(kafka, [folder({ 'a.jsonl': row('äöü12', { meta: { redpajama_set_name: 'RedPajamaC4' } }) })])
  // 8 bytes of UTF-8 at 4 bytes a token.
  expect(kafka.documents).toEqual([
    { docId: 0n, text: 'äöü12', tokens: 2, meta: '{"meta":{"redpajama_set_name":"RedPajamaC4"}}' },
  ])
})

test('folders are searched recursively in the order of names, whatever else is in them', async () => {
  const kafka = new MemoryKafka()
  const path = folder({ 'b.jsonl.gz': gzipSync(row('b')), 'a.jsonl.zst': zstdCompressSync(row('a')), 'notes.txt': 'x' })
  mkdirSync(join(path, 'Z'))
  mkdirSync(join(path, '.hidden'))
  writeFileSync(join(path, 'Z', 'c.ndjson'), row('c'))
  writeFileSync(join(path, '.hidden', 'd.jsonl'), row('d'))
  const { sources } = await run(kafka, [path])
  expect(sources.map(({ name }) => name)).toEqual(['Z/c.ndjson', 'a.jsonl.zst', 'b.jsonl.gz'])
  expect(text(kafka)).toEqual(['c', 'a', 'b'])
})

test('a byte order mark, Windows line ends and a missing last line end change nothing', async () => {
  const kafka = new MemoryKafka()
  await run(kafka, [folder({ 'a.jsonl': '\ufeff{"text":"one"}\r\n{"text":"two"}' })])
  expect(text(kafka)).toEqual(['one', 'two'])
  expect(kafka.deadLetters).toEqual([])
})

test('standard input is a source, plain or compressed, and resumes by row', async () => {
  const kafka = new MemoryKafka()
  const standardInput = (bytes: Buffer) => ({
    standardInput: (async function* () {
      yield bytes
    })(),
  })
  const first = await run(kafka, ['-'], standardInput(Buffer.from(rows(3))))
  expect(first.documents).toBe(3)
  expect((await run(kafka, ['-'], standardInput(Buffer.from(rows(3))))).sources[0]?.outcome).toBe('already')
  expect((await run(kafka, ['-'], standardInput(Buffer.from(rows(5))))).documents).toBe(2)
  const other = await run(kafka, ['-'], standardInput(Buffer.from(row('other'))))
  expect(other).toMatchObject({
    failed: 1,
    sources: [{ outcome: 'other-content', why: expect.stringContaining('its first bytes differ') }],
  })
  const packed = { ...standardInput(gzipSync(row('packed'))), nameOptions: { prefix: 'p' } }
  expect((await run(kafka, ['-'], packed)).sources[0]?.name).toBe('p/stdin')
  expect(text(kafka)).toEqual(['row 0', 'row 1', 'row 2', 'row 3', 'row 4', 'packed'])
})

test('a second ingest adds nothing', async () => {
  const kafka = new MemoryKafka()
  const path = folder({ 'a.jsonl': rows(10), 'b.jsonl.gz': gzipSync(rows(3)), 'empty.jsonl': '' })
  expect(await run(kafka, [path])).toMatchObject({ documents: 13, skipped: 0 })
  const transactions = kafka.transactions
  const again = await run(kafka, [path])
  expect(again).toMatchObject({ documents: 0, rejected: 0, skipped: 3 })
  expect(again.sources.map(({ outcome, documentsTotal }) => [outcome, documentsTotal])).toEqual([
    ['already', 10],
    ['already', 3],
    ['already', 0],
  ])
  expect(kafka.transactions).toBe(transactions)
})

describe('however an ingest ends, the next one resumes with nothing doubled or lost', () => {
  const files = { 'a.jsonl': `${rows(7)}\nnot json\n${rows(4)}`, 'b.jsonl.zst': zstdCompressSync(rows(5)) }
  const limits = { limits: { rowsMax: 3 } }

  test.each(killsOf(7))('killed at transaction $transaction, committed: $committed', async (kill) => {
    await expectSameWhenKilled(folder(files), kill, limits)
  })

  test('stopped repeatedly by a signal', () => expectSameWhenStopped(folder(files), limits))

  test('stopped while standard input keeps it waiting', async () => {
    const stop = new AbortController()
    async function* silent() {
      yield Buffer.from(rows(30_000))
      setTimeout(() => stop.abort(), 10)
      await new Promise(() => {})
    }
    const kafka = new MemoryKafka()
    const result = await run(kafka, ['-'], { standardInput: silent(), signal: stop.signal, limits: { rowsMax: 7000 } })
    expect(result).toMatchObject({ stopped: true, documents: 30_000 })
    expect(kafka.sources.get('stdin')).toMatchObject({ rowNext: 30_000, complete: false })
  })

  test('stopped before standard input says anything', async () => {
    const stop = new AbortController()
    async function* mute(): AsyncGenerator<Buffer> {
      setTimeout(() => stop.abort(), 10)
      await new Promise(() => {})
    }
    const result = await run(new MemoryKafka(), ['-'], { standardInput: mute(), signal: stop.signal })
    expect(result).toMatchObject({ stopped: true, documents: 0, sources: [] })
  })

  test('a signal before the first row writes nothing', async () => {
    const kafka = new MemoryKafka()
    const result = await run(kafka, [folder(files)], { signal: AbortSignal.abort() })
    expect(result).toMatchObject({ documents: 0, stopped: true })
    expect(kafka.transactions).toBe(0)
  })
})

test('source names may be given a prefix', async () => {
  const kafka = new MemoryKafka()
  const path = folder({ 'a.jsonl': rows(1) })
  await run(kafka, [path])
  await run(kafka, [path], { nameOptions: { prefix: 'second' } })
  expect([...kafka.sources.keys()]).toEqual(['a.jsonl', 'second/a.jsonl'])
})

test('a batch, its dead letters and the state of its source are one transaction', async () => {
  const kafka = new MemoryKafka()
  await run(kafka, [folder({ 'a.jsonl': `${rows(2)}bad\n` })])
  expect(kafka.transactions).toBe(1)
  expect([kafka.documents.length, kafka.deadLetters.length, kafka.sources.size]).toEqual([2, 1, 1])
})
