import { appendFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { placeOf } from '../../../services/ingest/document-id.ts'
import { MemoryKafka, text } from './memory-kafka.ts'
import { folder, row, rows, run } from './support.ts'

describe.each([
  ['gz', gzipSync],
  ['zst', zstdCompressSync],
] as const)('a truncated .%s', (extension, compress) => {
  const many = Array.from({ length: 40_000 }, (_, index) =>
    row(`row ${index} ${(index * 2654435761) % 4294967296}`),
  ).join('')
  const whole = compress(many)
  const name = `b.jsonl.${extension}`

  test('yields the rows before the break and a dead letter with the line, and the other files are ingested', async () => {
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

  test('adds nothing when ingested again, and resumes once the complete file is there', async () => {
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

describe('the content of a named source', () => {
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

  test('may move to another folder: only the name counts', async () => {
    const kafka = new MemoryKafka()
    const [from, to] = [folder({ 'a.jsonl': rows(2) }), folder()]
    await run(kafka, [join(from, 'a.jsonl')])
    renameSync(join(from, 'a.jsonl'), join(to, 'a.jsonl'))
    expect(await run(kafka, [join(to, 'a.jsonl')])).toMatchObject({ documents: 0, skipped: 1 })
  })
})
