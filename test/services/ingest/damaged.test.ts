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

  test('gives no batches of garbage, and is read on from there once it is mended', async () => {
    const texts = Array.from({ length: 20_000 }, (_, i) => `row ${i} of a text`)
    const good = gzipSync(texts.map((one) => row(one)).join(''), { level: 9 })
    const bad = Buffer.from(good)
    bad[Math.floor(bad.length / 2)]! ^= 0xff
    const kafka = new MemoryKafka()
    const path = folder({ 'a.jsonl.gz': bad })
    const limits = { limits: { rowsMax: 5 } }
    const first = await run(kafka, [path], limits)
    // Nothing behind the first row that is none, of which a checksum says that the damage made it so.
    expect(first.rejected).toBe(1)
    expect(await run(kafka, [path], limits)).toMatchObject({ failed: 1, documents: 0, rejected: 0 })
    expect(kafka.deadLetters).toHaveLength(1)
    writeFileSync(join(path, 'a.jsonl.gz'), good)
    expect(await run(kafka, [path], limits)).toMatchObject({ failed: 0, documents: texts.length - first.documents })
    expect(kafka.documents).toHaveLength(texts.length)
    // The row that the wrong byte is in may still be one, with another text.
    expect(kafka.documents.filter(({ text }, i) => text !== texts[i]).length).toBeLessThanOrEqual(1)
  })

  // Texts that share words, so that a wrong byte of the compressed data garbles rows here and there, and leaves others whole.
  const texts = Array.from(
    { length: 1500 },
    (_, i) => `row ${i} of a text, number ${(i * 7919) % 1500}, ${sha256(i).slice(0, 12)}`,
  )
  const packings: [string, (lines: string) => Buffer][] = [
    ['gzip -1', (lines) => gzipSync(lines, { level: 1 })],
    ['gzip -9', (lines) => gzipSync(lines, { level: 9 })],
    [
      'three members of gzip',
      (lines) => {
        const third = Math.ceil(lines.length / 3)
        return Buffer.concat([0, 1, 2].map((part) => gzipSync(lines.slice(part * third, (part + 1) * third))))
      },
    ],
    [
      'Zstandard with a checksum',
      (lines) => zstdCompressSync(lines, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
    ],
  ]
  test.each(packings)(
    'with one wrong byte, anywhere: %s',
    async (_, packed) => {
      const good = packed(texts.map((one) => row(one)).join(''))
      for (const share of [0.15, 0.5, 0.8, 0.97]) {
        for (const flip of [0x01, 0xff]) {
          const bad = Buffer.from(good)
          bad[Math.floor(bad.length * share)]! ^= flip
          const kafka = new MemoryKafka()
          const path = folder({ 'a.jsonl.pack': bad })
          const file = join(path, 'a.jsonl.pack')
          const limits = { limits: { rowsMax: 50 } }
          const first = await run(kafka, [file], limits)
          const at = `at ${share} ^ ${flip}`
          expect(first, at).toMatchObject({ failed: 1, sources: [{ outcome: 'damaged' }] })
          expect(first.rejected, at).toBe(1)
          // Hardly a row that is not what was written.
          expect(kafka.documents.filter(({ text }, i) => text !== texts[i]).length, at).toBeLessThanOrEqual(2)
          // Nothing of it is written twice.
          expect(await run(kafka, [file], limits), at).toMatchObject({ failed: 1, documents: 0, rejected: 0 })
          expect(kafka.deadLetters, at).toHaveLength(1)
          // The intact file is the same source: what was not ingested follows.
          writeFileSync(file, good)
          expect(await run(kafka, [file], limits), at).toMatchObject({ failed: 0, documents: 1500 - first.documents })
          expect(
            kafka.documents.map(({ docId }) => Number(docId)),
            at,
          ).toEqual(texts.map((_one, i) => i))
        }
      }
    },
    60_000,
  )

  test('takes what intact members and frames hold before the wrong byte, whatever headers they have', async () => {
    const parts = [0, 1, 2, 3].map((part) =>
      texts
        .slice(part * 300, part * 300 + 300)
        .map((one) => row(one))
        .join(''),
    )
    const named = (member: Buffer) =>
      Buffer.concat([
        member.subarray(0, 3),
        // An extra field of three bytes, a name, a comment.
        Buffer.from([4 | 8 | 16]),
        member.subarray(4, 10),
        Buffer.from([3, 0, 1, 0, 2]),
        Buffer.from('a.jsonl\0of two lines\0'),
        member.subarray(10),
      ])
    const zstd = { params: { [constants.ZSTD_c_checksumFlag]: 1 } }
    const packed: Record<string, Buffer[]> = {
      gz: parts.map((part) => gzipSync(part)),
      'named.gz': parts.map((part, i) => (i === 1 ? named(gzipSync(part)) : gzipSync(part))),
      'padded.gz': parts.map((part) => Buffer.concat([gzipSync(part), Buffer.alloc(100)])),
      zst: parts.map((part) => zstdCompressSync(part, zstd)),
    }
    for (const [name, members] of Object.entries(packed)) {
      // The third is wrong in its checksum, or in a byte in front of it.
      const third = Buffer.from(members[2]!)
      const last = third.findLastIndex((byte) => byte !== 0)
      third[last - 6]! ^= 0x10
      const kafka = new MemoryKafka()
      const path = folder({ [`a.jsonl.${name}`]: Buffer.concat([members[0]!, members[1]!, third, members[3]!]) })
      const file = join(path, `a.jsonl.${name}`)
      expect(await run(kafka, [file]), name).toMatchObject({ failed: 1, documents: 600, rejected: 1 })
      writeFileSync(file, Buffer.concat(members))
      expect(await run(kafka, [file]), name).toMatchObject({ failed: 0, documents: 600 })
      expect(text(kafka)).toEqual(texts.slice(0, 1200))
    }
  })

  test('keeps bad rows of an intact file for what they are, and all that follow', async () => {
    const kafka = new MemoryKafka()
    const path = folder({ 'a.jsonl.gz': Buffer.concat([gzipSync(`${rows(3)}bad\n${rows(2)}`), gzipSync('bad\n')]) })
    expect(await run(kafka, [path])).toMatchObject({ documents: 5, rejected: 2, failed: 0 })
    // Also in front of damage, where a checksum covers them.
    const cut = gzipSync(rows(2000)).subarray(0, 3000)
    const other = folder({ 'b.jsonl.gz': Buffer.concat([gzipSync(`bad\n${rows(3)}`), cut]) })
    const result = await run(kafka, [other])
    expect(result).toMatchObject({ failed: 1, sources: [{ reasons: { 'not-json': 1, 'truncated-file': 1 } }] })
    expect(result.documents).toBeGreaterThan(10)
  })

  test('keeps a complete last row that has no line end', async () => {
    const kafka = new MemoryKafka()
    const path = folder({ 'a.json.gz': Buffer.concat([gzipSync(rows(2).trimEnd()), Buffer.from('garbage')]) })
    expect(await run(kafka, [path])).toMatchObject({ documents: 2, rejected: 1, failed: 1 })
    expect(text(kafka)).toEqual(['row 0', 'row 1'])
    expect(kafka.deadLetters[0]).toMatchObject({ line: 3, reason: 'corrupt-file' })
  })
})
