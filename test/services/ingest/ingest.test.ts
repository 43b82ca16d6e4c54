import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { appendFileSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { asDocumentId, topics } from '../../../schemas/index.ts'
import { documentId, idsOf, placeOf } from '../../../services/ingest/document-id.ts'
import { DecodeError } from '../../../services/runtime/codec.ts'
import { maxRecordBytes } from '../../../services/runtime/kafka/record-size.ts'
import { codec, MemoryKafka } from './memory-kafka.ts'
import { expectSameWhenKilled, expectSameWhenStopped, folder, killsOf, row, rows, run } from './support.ts'

const text = (kafka: MemoryKafka) => kafka.documents.map((document) => document.text)

describe('ids', () => {
  test('lead back to source and row, blank lines counted', async () => {
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

  test('stay when sources come later, and new sources get the next number', async () => {
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

  test('are the key in decimal; the partition is left to the client', async () => {
    const kafka = new MemoryKafka()
    await run(kafka, [folder({ 'a.jsonl': row('x') + row('y') })])
    expect(kafka.topics.get(topics.documents.name)?.map(({ key, partition }) => [key, partition])).toEqual([
      ['0', undefined],
      ['1', undefined],
    ])
  })
})

test('documents carry the estimated tokens and the row without its text', async () => {
  const kafka = new MemoryKafka()
  await run(kafka, [folder({ 'a.jsonl': row('äöü12', { meta: { redpajama_set_name: 'RedPajamaC4' } }) })])
  // 8 bytes of UTF-8 at 4 bytes a token.
  expect(kafka.documents).toEqual([
    { docId: 0n, text: 'äöü12', tokens: 2, meta: '{"meta":{"redpajama_set_name":"RedPajamaC4"}}' },
  ])
})

test('folders are searched all through in the order of the names, whatever else lies in them', async () => {
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

test('standard input is a source, plain or compressed, and is continued by rows', async () => {
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

describe('whatever ends an ingest, the next one goes on with nothing doubled or lost', () => {
  const files = { 'a.jsonl': `${rows(7)}\nnot json\n${rows(4)}`, 'b.jsonl.zst': zstdCompressSync(rows(5)) }
  const limits = { limits: { rowsMax: 3 } }

  test.each(killsOf(7))('killed at transaction $transaction, committed: $committed', async (kill) => {
    await expectSameWhenKilled(folder(files), kill, limits)
  })

  test('stopped again and again by the signal', () => expectSameWhenStopped(folder(files), limits))

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

describe('bad rows go to dead letters with file, line and bytes, the rest goes on', () => {
  test('each by its reason', async () => {
    const kafka = new MemoryKafka()
    const long = row('y'.repeat(3000))
    const path = join(
      folder({ 'a.jsonl': `${row('good')}{"text":\n{"txt":"x"}\n${row(' ')}\n${long}${row('last')}` }),
      'a.jsonl',
    )
    const result = await run(kafka, [path], { limits: { lineBytesMax: 2000, bytesKept: 100 } })
    expect(result).toMatchObject({ documents: 2, rejected: 4, failed: 0 })
    expect(kafka.deadLetters.map(({ reason, line, origin }) => [reason, line, origin])).toEqual([
      ['not-json', 2, `${path}:2`],
      ['no-text', 3, `${path}:3`],
      ['empty-text', 4, `${path}:4`],
      ['too-long-line', 6, `${path}:6`],
    ])
    expect(Buffer.from(kafka.deadLetters[1]!.value!).toString()).toBe('{"txt":"x"}')
    expect(kafka.deadLetters[3]!.value).toHaveLength(100)
    expect(kafka.deadLetters[3]!.message).toContain(`${long.length - 1} bytes`)
    expect(text(kafka)).toEqual(['good', 'last'])
    expect(kafka.sources.get('a.jsonl')).toMatchObject({ rowNext: 7, documents: 2, rejected: 4, complete: true })
  })

  /** Text that compression makes hardly shorter than its bytes as base64. */
  const noise = (bytes: number) => randomBytes(bytes).toString('base64')

  test('a document too long for its topic, also compressed, keeps what fits of its row, and says where the rest is', async () => {
    const kafka = new MemoryKafka()
    const line = row(noise(maxRecordBytes))
    const path = folder({ 'a.jsonl': line + row('after') })
    await run(kafka, [path])
    const [letter] = kafka.deadLetters
    expect(letter).toMatchObject({ reason: 'too-large', line: 1 })
    expect(line.startsWith(Buffer.from(letter!.value!).toString())).toBe(true)
    expect(letter?.message).toMatch(/of \d+ bytes are kept; all of them are in .*a\.jsonl:1\)$/)
    expect(letter?.message).toContain(`of ${line.length - 1} bytes`)
    expect(letter?.message).toContain('corpus.recordBytesMax')
    const record = kafka.topics.get(topics.deadLetters.name)?.[0]
    expect(record!.value!.length + record!.key!.length).toBeLessThanOrEqual(maxRecordBytes)
    expect(text(kafka)).toEqual(['after'])
  })

  test('a long document is taken where its topic takes it, or compressed, and a long row goes to dead letters whole', async () => {
    const long = noise(3_000_000)
    const book = 'It was a dark and stormy night; '.repeat(60_000)
    for (const messageBytesMax of [1_048_588, 8_388_608]) {
      const kafka = new MemoryKafka()
      kafka.messageBytesMax = messageBytesMax
      await run(kafka, [folder({ 'a.jsonl': `${row(book) + row(long)}{"txt":"${book}"}\n` })])
      expect(text(kafka)).toEqual(messageBytesMax > 4_000_000 ? [book, long] : [book])
      const letter = kafka.deadLetters.find(({ reason }) => reason === 'no-text')
      expect(letter!.value).toHaveLength(book.length + 10)
    }
  })

  test('a long row becomes several documents where that is asked for, with ids of its own, the same every time', async () => {
    const paragraphs = Array.from(
      { length: 300 },
      (_, i) => `Paragraph ${i}. ${'It was a dark and stormy night. '.repeat(200)}`,
    )
    const book = paragraphs.join('\n\n')
    const path = folder({ 'a.jsonl': row('before') + row(book, { title: 't' }) + row('after') })
    const ingested = async () => {
      const kafka = new MemoryKafka()
      const results = await run(kafka, [path], { pieceBytes: 600_000 })
      await run(kafka, [path], { pieceBytes: 600_000 })
      return { kafka, results }
    }
    const { kafka, results } = await ingested()
    const pieces = kafka.documents.filter(({ docId }) => placeOf(docId).row === 1)
    expect(pieces.length).toBeGreaterThan(3)
    expect(pieces.map(({ docId }) => placeOf(docId))).toEqual(pieces.map((_, piece) => ({ source: 0, row: 1, piece })))
    expect(pieces.map((piece) => piece.text).join('')).toBe(book)
    for (const piece of pieces) {
      expect(Buffer.byteLength(piece.text)).toBeLessThanOrEqual(600_000)
      expect(piece.text).toMatch(/^Paragraph \d+\./)
      expect(piece.meta).toBe('{"title":"t"}')
      expect(piece.tokens).toBe(Math.ceil(piece.text.length / 4))
    }
    expect(kafka.documents).toHaveLength(pieces.length + 2)
    expect(kafka.sources.get('a.jsonl')).toMatchObject({ rowNext: 3, documents: pieces.length + 2, complete: true })
    expect(results).toMatchObject({ documents: pieces.length + 2, rejected: 0 })
    expect((await ingested()).kafka.documents).toEqual(kafka.documents)
  })
})

describe.each([
  ['gz', gzipSync],
  ['zst', zstdCompressSync],
] as const)('a truncated .%s', (extension, compress) => {
  const many = Array.from({ length: 40_000 }, (_, index) =>
    row(`row ${index} ${(index * 2654435761) % 4294967296}`),
  ).join('')
  const whole = compress(many)
  const name = `b.jsonl.${extension}`

  test('gives the rows before, a dead letter with the line, and the other files go on', async () => {
    const kafka = new MemoryKafka()
    const path = folder({ 'a.jsonl': row('a'), [name]: whole.subarray(0, whole.length - 100), 'c.jsonl': row('c') })
    const result = await run(kafka, [path])
    expect(result).toMatchObject({ failed: 1, rejected: 1 })
    expect(result.sources.map(({ outcome }) => outcome)).toEqual(['ingested', 'damaged', 'ingested'])
    const good = kafka.documents.filter(({ docId }) => placeOf(docId).source === 1)
    expect(good.length).toBeGreaterThan(1000)
    expect(good.every(({ docId, text }) => text.startsWith(`row ${placeOf(docId).row} `))).toBe(true)
    expect(kafka.sources.get(name)).toMatchObject({ complete: false, rowNext: good.length })
    expect(kafka.deadLetters[0]).toMatchObject({
      reason: 'truncated-file',
      file: join(path, name),
      line: good.length + 1,
    })
    expect(text(kafka).at(-1)).toBe('c')
  })

  test('adds nothing a second time, and goes on when the whole file is there', async () => {
    const kafka = new MemoryKafka()
    const path = folder({ [name]: whole.subarray(0, whole.length - 100) })
    await run(kafka, [path])
    const transactions = kafka.transactions
    expect(await run(kafka, [path])).toMatchObject({ failed: 1, documents: 0 })
    expect(kafka.transactions).toBe(transactions)
    writeFileSync(join(path, name), whole)
    expect(await run(kafka, [path])).toMatchObject({ failed: 0 })
    expect(new Set(kafka.documents.map(({ docId }) => docId)).size).toBe(40_000)
    expect(kafka.documents).toHaveLength(40_000)
    expect(kafka.sources.get(name)).toMatchObject({ complete: true, rowNext: 40_000 })
  })
})

describe('the content behind a name', () => {
  test('may be appended to', async () => {
    const kafka = new MemoryKafka()
    const path = join(folder({ 'a.jsonl': rows(2) }), 'a.jsonl')
    await run(kafka, [path])
    appendFileSync(path, row('more'))
    expect(await run(kafka, [path])).toMatchObject({ documents: 1 })
    expect(kafka.documents.map(({ docId, text }) => [docId, text]).at(-1)).toEqual([2n, 'more'])
    expect((await run(kafka, [path])).sources[0]?.outcome).toBe('already')
  })

  test.each([
    ['another beginning', rows(2), row('other') + rows(2)],
    ['a shorter file', rows(2), rows(1)],
    ['an unfinished last line that grew', '{"text":"a"}', '{"text":"a"}\n{"text":"b"}\n'],
    [
      'a compressed file that was complete and grew',
      gzipSync(rows(2)),
      Buffer.concat([gzipSync(rows(2)), gzipSync(rows(2))]),
    ],
  ])('may not change: %s', async (_case, before, after) => {
    const kafka = new MemoryKafka()
    const path = join(folder({ a: before }), 'a')
    await run(kafka, [path])
    const transactions = kafka.transactions
    writeFileSync(path, after)
    expect(await run(kafka, [path])).toMatchObject({ failed: 1, sources: [{ outcome: 'other-content' }] })
    expect(kafka.transactions).toBe(transactions)
  })

  test('may move: the name stays, not the folder', async () => {
    const kafka = new MemoryKafka()
    const [from, to] = [folder({ 'a.jsonl': rows(2) }), folder()]
    await run(kafka, [join(from, 'a.jsonl')])
    renameSync(join(from, 'a.jsonl'), join(to, 'a.jsonl'))
    expect(await run(kafka, [join(to, 'a.jsonl')])).toMatchObject({ documents: 0, skipped: 1 })
  })
})

describe('before anything is written it is an error', () => {
  test('when a file is of a format that is not read; all of them are named', async () => {
    const kafka = new MemoryKafka()
    const lfs = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n'
    const path = folder({ 'a.jsonl': row('a'), 'b.parquet': lfs, 'c.jsonl.gz': '<html>', 'd.jsonl': '[{"text":"d"}]' })
    await expect(run(kafka, [path])).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringMatching(
        /b\.parquet is a Git LFS pointer.*c\.jsonl\.gz is an HTML.*d\.jsonl is a JSON array/,
      ),
      hint: expect.stringMatching(/git lfs pull.*download.*jq -c '\.\[\]'/),
    })
    expect(kafka.topics.size).toBe(0)
  })

  test('when a path is missing', async () => {
    const kafka = new MemoryKafka()
    const path = folder({ 'a.jsonl': rows(1) })
    await expect(run(kafka, [path, join(path, 'missing.jsonl')])).rejects.toMatchObject({ code: 'CONFIGURATION' })
    expect(kafka.topics.size).toBe(0)
  })

  test('when two files have the same name', async () => {
    const [one, two] = [folder({ 'a.jsonl': rows(1) }), folder({ 'a.jsonl': rows(2) })]
    await expect(run(new MemoryKafka(), [one, two])).rejects.toThrow(/would both be the source 'a.jsonl'/)
  })

  test('when a folder holds nothing to read', async () => {
    await expect(run(new MemoryKafka(), [folder({ 'a.txt': 'x' })])).rejects.toThrow(/no \.jsonl/)
  })

  test('when a link leads out of the folder, or what looks like a file is none', async () => {
    const [inside, outside] = [folder({ 'a.jsonl': row('x') }), folder({ 'secret.jsonl': row('secret') })]
    symlinkSync(join(outside, 'secret.jsonl'), join(inside, 'b.jsonl'))
    await expect(run(new MemoryKafka(), [inside])).rejects.toThrow(/b\.jsonl leads out of/)
    const odd = folder({ 'a.jsonl': row('x') })
    await promisify(execFile)('mkfifo', [join(odd, 'pipe.jsonl')])
    await expect(run(new MemoryKafka(), [odd])).rejects.toThrow(/pipe\.jsonl is no file/)
    await expect(run(new MemoryKafka(), [join(odd, 'pipe.jsonl')])).rejects.toMatchObject({
      message: expect.stringContaining('pipe.jsonl is not a file but a pipe'),
      hint: expect.stringContaining('| winnow ingest --name NAME -'),
    })
    const linked = folder({ 'a.jsonl': row('x') })
    symlinkSync('a.jsonl', join(linked, 'b.jsonl'))
    const kafka = new MemoryKafka()
    await run(kafka, [linked])
    expect(text(kafka)).toEqual(['x', 'x'])
  })

  test('when the state of a source cannot be read', async () => {
    const codecOfNothing = {
      ...codec,
      decodeAs: () => {
        throw new DecodeError('bad-framing', 'no record')
      },
    }
    const kafka = new MemoryKafka()
    const path = folder({ 'a.jsonl': rows(1) })
    await run(kafka, [path])
    await expect(run(kafka, [path], { codec: codecOfNothing })).rejects.toThrow('winnow.sources[0]@0 is no source')
    expect(kafka.documents).toHaveLength(1)
  })

  test('when the tokenizer cannot be loaded', async () => {
    const tokens = { kind: 'tokenizer', path: 'missing.json' } as const
    await expect(run(new MemoryKafka(), [folder({ 'a.jsonl': rows(1) })], { tokens })).rejects.toMatchObject({
      code: 'MODEL_UNUSABLE',
    })
  })
})

test('names can be put behind a prefix', async () => {
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
