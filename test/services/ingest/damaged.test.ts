import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { constants, crc32, deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { MemoryKafka, text } from './memory-kafka.ts'
import { folder, row, rows, run } from './support.ts'

const sha256 = (of: number) => createHash('sha256').update(`${of}`).digest('hex')

/** What ends a member of gzip: checksum and length of what it unpacks to. */
function trailerOf(text: string): Buffer {
  const trailer = Buffer.alloc(8)
  trailer.writeUInt32LE(crc32(text))
  trailer.writeUInt32LE(text.length, 4)
  return trailer
}

describe('a damaged file that is repaired', () => {
  const lines = Array.from({ length: 3000 }, (_, index) => row(`row ${index} ${sha256(index)}${sha256(-index)}`))
  const whole = { gz: gzipSync(lines.join('')), zst: zstdCompressSync(lines.join('')) }
  const garbage = Buffer.from('{"text":"appended in plain"}\n')
  // A decompressor that meets bytes that are wrong, not impossible, goes on for a while: these are impossible at once.
  const half = lines.slice(0, 1500).join('')
  const impossible = {
    gz: Buffer.concat([gzipSync(half, { finishFlush: constants.Z_FULL_FLUSH }), Buffer.alloc(5000, 0x07)]),
    zst: Buffer.concat([zstdCompressSync(half), Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0x07, 0, 0, 1, 2, 3])]),
  }
  const rest = lines.slice(1500).join('')
  const mended = {
    gz: Buffer.concat([impossible.gz.subarray(0, -5000), deflateRawSync(rest), trailerOf(lines.join(''))]),
    zst: Buffer.concat([zstdCompressSync(half), zstdCompressSync(rest)]),
  }
  const damaged: [string, string, Buffer, Buffer, number][] = [
    ['garbage behind gzip', 'a.jsonl.gz', Buffer.concat([whole.gz, garbage]), whole.gz, 3000],
    ['garbage behind Zstandard', 'a.jsonl.zst', Buffer.concat([whole.zst, garbage]), whole.zst, 3000],
    ['a bad byte in gzip', 'a.jsonl.gz', impossible.gz, mended.gz, 1500],
    ['a bad byte in Zstandard', 'a.jsonl.zst', impossible.zst, mended.zst, 1500],
  ]
  test.each(damaged)('has every row once: %s', async (_case, name, bad, good, documents) => {
    const kafka = new MemoryKafka()
    const path = folder({ [name]: bad })
    const first = await run(kafka, [path])
    expect(first).toMatchObject({ failed: 1, rejected: 1, sources: [{ outcome: 'damaged' }] })
    expect(first.documents).toBe(documents)
    expect(kafka.deadLetters[0]?.message).toContain(`${first.documents} lines before it are good`)
    const transactions = kafka.transactions
    expect(await run(kafka, [path])).toMatchObject({ failed: 1, documents: 0, rejected: 0 })
    expect(kafka.transactions).toBe(transactions)
    writeFileSync(join(path, name), good)
    expect(await run(kafka, [path])).toMatchObject({ failed: 0, documents: 3000 - first.documents })
    expect(kafka.documents.map(({ text }) => row(text))).toEqual(lines)
  })

  test('yields no run of bad rows from garbage that gzip produced before it noticed the damage', async () => {
    const bad = Buffer.from(whole.gz)
    const middle = Math.floor(bad.length / 2)
    bad.fill(0xff, middle, middle + 8)
    const kafka = new MemoryKafka()
    const path = folder({ 'a.jsonl.gz': bad })
    const limits = { limits: { rowsMax: 5000 } }
    const first = await run(kafka, [path], limits)
    expect(first).toMatchObject({ failed: 1, rejected: 1 })
    expect(first.documents).toBeGreaterThan(1000)
    // The row that the wrong bytes are in may still be one, with another text.
    const right = () => kafka.documents.filter(({ text }, index) => row(text) === lines[index]).length
    expect(right()).toBeGreaterThanOrEqual(first.documents - 1)
    expect(await run(kafka, [path], limits)).toMatchObject({ failed: 1, documents: 0, rejected: 0 })
    writeFileSync(join(path, 'a.jsonl.gz'), whole.gz)
    expect(await run(kafka, [path], limits)).toMatchObject({ failed: 0, documents: 3000 - first.documents })
    expect(right()).toBeGreaterThanOrEqual(2999)
  })

  test('is read again from after its last document once repaired, however much garbage was rejected since', async () => {
    const texts = Array.from({ length: 20_000 }, (_, i) => `row ${i} of a text`)
    const good = gzipSync(texts.map((one) => row(one)).join(''), { level: 9 })
    const bad = Buffer.from(good)
    bad[Math.floor(bad.length / 2)]! ^= 0xff
    const kafka = new MemoryKafka()
    const path = folder({ 'a.jsonl.gz': bad })
    const limits = { limits: { rowsMax: 5 } }
    const first = await run(kafka, [path], limits)
    expect(first.rejected).toBeGreaterThan(10)
    expect(await run(kafka, [path], limits)).toMatchObject({ failed: 1, documents: 0 })
    writeFileSync(join(path, 'a.jsonl.gz'), good)
    expect(await run(kafka, [path], limits)).toMatchObject({ failed: 0, documents: texts.length - first.documents })
    expect(kafka.documents).toHaveLength(texts.length)
    // The row that the wrong byte is in may still be one, with another text.
    expect(kafka.documents.filter(({ text }, i) => text !== texts[i]).length).toBeLessThanOrEqual(1)
  })

  test('keeps a complete last row that has no line end', async () => {
    const kafka = new MemoryKafka()
    const path = folder({ 'a.json.gz': Buffer.concat([gzipSync(rows(2).trimEnd()), Buffer.from('garbage')]) })
    expect(await run(kafka, [path])).toMatchObject({ documents: 2, rejected: 1, failed: 1 })
    expect(text(kafka)).toEqual(['row 0', 'row 1'])
    expect(kafka.deadLetters[0]).toMatchObject({ line: 3, reason: 'corrupt-file' })
  })
})
