import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { topics } from '../../../schemas/index.ts'
import { placeOf } from '../../../services/ingest/document-id.ts'
import { maxRecordBytes } from '../../../services/runtime/kafka/record-size.ts'
import { MemoryKafka, text } from './memory-kafka.ts'
import { folder, row, run } from './support.ts'

describe('bad rows go to dead letters with file, line and bytes, and the other rows are ingested', () => {
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

  test('a document too long for its topic even compressed goes to dead letters with as much as fits, and says where the rest is', async () => {
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

  test('a long document is accepted if its topic allows it or compression makes it fit, and a rejected long row is kept whole', async () => {
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

  test('a long row becomes several documents on request, with ids of their own that are always the same', async () => {
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
