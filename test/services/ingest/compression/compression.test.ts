import { randomBytes } from 'node:crypto'
import { constants, gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { compressionOf, decompressed } from '../../../../services/ingest/compression/compression.ts'
import { DamagedFile } from '../../../../services/ingest/compression/damaged-file.ts'

const text = Array.from({ length: 5000 }, (_, index) => `line ${index} ${(index * 2654435761) % 4294967296}\n`).join('')
const gzip = (of: string) => gzipSync(of)
const zstd = (of: string) => zstdCompressSync(of)

async function* chunks(bytes: Buffer, chunkBytes: number) {
  for (let start = 0; start < bytes.length; start += chunkBytes) yield bytes.subarray(start, start + chunkBytes)
}

async function read(bytes: Buffer, chunkBytes = 64 * 1024) {
  let out = ''
  const input = {
    bytes: chunks(bytes, chunkBytes),
    again: (position: number) => chunks(bytes.subarray(position), chunkBytes),
  }
  try {
    for await (const chunk of decompressed(input, compressionOf(bytes))) out += chunk.toString('latin1')
    return { out, reason: null, message: '', bytesGood: bytes.length }
  } catch (error) {
    if (!(error instanceof DamagedFile)) throw error
    return { out, reason: error.reason, message: error.message, bytesGood: error.bytesGood! }
  }
}

describe.each([
  ['gzip', gzip],
  ['zstd', zstd],
] as const)('%s', (name, compress) => {
  test('is recognized by its first bytes', () => {
    expect(compressionOf(compress('a'))).toBe(name)
    expect(compressionOf(Buffer.from('{"text"'))).toBe('none')
  })

  test.each([1000, 1_000_000])('concatenated members are all read, in chunks of %i bytes', async (size) => {
    const both = Buffer.concat([compress(text), compress(''), compress('end\n')])
    expect(await read(both, size)).toMatchObject({ out: `${text}end\n`, reason: null })
  })

  test('a truncated file yields everything before the break, then reports the truncation', async () => {
    const whole = compress(text)
    const { out, reason } = await read(whole.subarray(0, whole.length - 2000), 1000)
    expect(reason).toBe('truncated-file')
    expect(text.startsWith(out)).toBe(true)
  })

  test('a file that ends within its second member is truncated', async () => {
    const { out, reason } = await read(Buffer.concat([compress(text), compress(text).subarray(0, 50)]))
    expect(reason).toBe('truncated-file')
    expect(out.startsWith(text)).toBe(true)
  })

  test('a file of six bytes is truncated', async () => {
    expect(await read(compress(text).subarray(0, 6))).toMatchObject({ out: '', reason: 'truncated-file' })
  })

  test.each([1000, 100_000])(
    'trailing foreign bytes cost nothing of what comes before them, in chunks of %i bytes',
    async (size) => {
      for (const garbage of ['no frame and no member', '{"text": "appended"}\n', '\u0001']) {
        const whole = Buffer.concat([compress(text), compress('end\n')])
        const { out, reason, bytesGood } = await read(Buffer.concat([whole, Buffer.from(garbage)]), size)
        expect(out).toBe(`${text}end\n`)
        expect(reason).toMatch(/-file$/)
        expect(bytesGood).toBeLessThanOrEqual(whole.length + 1)
      }
    },
  )

  test('zero padding between and after members, as tapes and block devices write it, is skipped', async () => {
    for (const zeros of [1, 3, 512, 200_000]) {
      const padded = Buffer.concat([compress(text), Buffer.alloc(zeros), compress('end\n'), Buffer.alloc(zeros)])
      expect(await read(padded, 1000)).toMatchObject({ out: `${text}end\n`, reason: null })
    }
  })
})

test('skippable frames are skipped, and checksums and content sizes of every kind are accepted', async () => {
  const skippable = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])
  const checked = zstdCompressSync(text, { params: { [constants.ZSTD_c_checksumFlag]: 1 } })
  const long = zstdCompressSync('a'.repeat(1_000_000))
  for (const size of [7, 100_000]) {
    const { out, reason } = await read(Buffer.concat([skippable, checked, skippable, long]), size)
    expect(reason).toBe(null)
    expect(out).toBe(text + 'a'.repeat(1_000_000))
  }
})

test('a decompression bomb is read in bounded pieces', async () => {
  const bomb = gzipSync(Buffer.alloc(100_000_000))
  let [pieces, longest] = [0, 0]
  for await (const chunk of decompressed({ bytes: chunks(bomb, 1000), again: () => null }, 'gzip')) {
    pieces++
    longest = Math.max(longest, chunk.length)
  }
  expect(longest).toBeLessThanOrEqual(256 * 1024)
  expect(pieces).toBeGreaterThan(300)
})

describe('a wrong byte in the middle costs only what comes after it', () => {
  // Random letters: many blocks of Deflate and Zstandard, so that what is lost with one of them would show.
  const lines = Array.from({ length: 3000 }, () => `${randomBytes(100).toString('base64')}\n`).join('')

  test('gzip: up to the bad byte itself', async () => {
    const whole = gzipSync(lines)
    // Four bytes of ones in a block of Huffman codes: told within a few bytes, or by the checksum at the end.
    for (const at of [20_000, 150_000, whole.length - 5]) {
      const bad = Buffer.from(whole)
      bad.fill(0xff, at, at + 4)
      const { out, reason, bytesGood } = await read(bad)
      expect(reason).toBe('corrupt-file')
      const good = gunzipSync(whole.subarray(0, at), { finishFlush: constants.Z_SYNC_FLUSH }).toString('latin1')
      expect(out.startsWith(good)).toBe(true)
      // Any of them may be the wrong one, so few are relied on.
      expect(bytesGood).toBe(1024)
    }
  })

  test('zstd: up to the block', async () => {
    const whole = zstdCompressSync(lines, { params: { [constants.ZSTD_c_checksumFlag]: 1 } })
    const bad = Buffer.from(whole)
    bad.fill(0xff, 250_000, 250_004)
    const { out, reason } = await read(bad)
    expect(reason).toBe('corrupt-file')
    expect(out.length).toBeGreaterThanOrEqual(2 * 128 * 1024)
    expect(lines.startsWith(out.slice(0, 2 * 128 * 1024))).toBe(true)
    const checksum = Buffer.from(whole)
    checksum[whole.length - 1]! ^= 1
    expect(await read(checksum)).toMatchObject({ out: lines, reason: 'corrupt-file' })
  })

  test('gzip from standard input, which cannot be read again: up to the slice before', async () => {
    const bad = gzipSync(lines)
    bad.fill(0xff, 150_000, 150_004)
    let out = ''
    const input = { bytes: chunks(bad, 1000), again: () => null }
    const all = async () => {
      for await (const chunk of decompressed(input, 'gzip')) out += chunk.toString('latin1')
    }
    await expect(all()).rejects.toMatchObject({ reason: 'corrupt-file' })
    expect(out.length).toBeGreaterThan(180_000)
  })
})

describe('a Zstandard frame', () => {
  // A frame of a raw block behind a header that says what is wanted; RFC 8878, 3.1.1.
  const frame = (header: number[], content: string) => {
    const block = Buffer.alloc(3)
    block.writeUIntLE((content.length << 3) | 1, 0, 3)
    return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, ...header]), block, Buffer.from(content)])
  }

  test.each([27, 28, 30, 31])('with a window of 2^%i bytes is read, as written by zstd --long', async (log) => {
    expect(await read(frame([0x00, (log - 10) << 3], 'far\n'))).toMatchObject({ out: 'far\n', reason: null })
  })

  test('with a larger window is refused, naming the window', async () => {
    const { reason, message } = await read(Buffer.concat([frame([0x00, 0], 'a\n'), frame([0x00, 22 << 3], 'b\n')]))
    expect({ reason, message }).toEqual({
      reason: 'corrupt-file',
      message: 'the Zstandard frame needs a window of 2^32 bytes; at most 2^31 are given',
    })
  })

  test('with a dictionary is refused, naming the dictionary, after the frames before it', async () => {
    const { out, message } = await read(Buffer.concat([frame([0x00, 0], 'a\n'), frame([0x01, 0, 77], 'b\n')]))
    expect(out).toBe('a\n')
    expect(message).toBe('the Zstandard frame was made with the dictionary 77, which is not in the file')
  })
})
