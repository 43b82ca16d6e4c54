import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { compressionOf, DamagedFile, decompressed } from '../../../services/ingest/compression.ts'

const text = Array.from({ length: 5000 }, (_, index) => `line ${index} ${(index * 2654435761) % 4294967296}\n`).join('')
const gzip = (of: string) => gzipSync(of)
const zstd = (of: string) => zstdCompressSync(of)

async function* chunks(bytes: Buffer, chunkBytes: number) {
  for (let start = 0; start < bytes.length; start += chunkBytes) yield bytes.subarray(start, start + chunkBytes)
}

async function read(bytes: Buffer, chunkBytes = 64 * 1024) {
  let out = ''
  try {
    for await (const chunk of decompressed(chunks(bytes, chunkBytes), compressionOf(bytes)))
      out += chunk.toString('latin1')
    return { out, reason: null }
  } catch (error) {
    if (!(error instanceof DamagedFile)) throw error
    return { out, reason: error.reason }
  }
}

describe.each([
  ['gzip', gzip],
  ['zstd', zstd],
] as const)('%s', (name, compress) => {
  test('is known by its first bytes', () => {
    expect(compressionOf(compress('a'))).toBe(name)
    expect(compressionOf(Buffer.from('{"text"'))).toBe('none')
  })

  test.each([1000, 1_000_000])(
    'several pieces written one after the other are all read, in chunks of %i bytes',
    async (size) => {
      const both = Buffer.concat([compress(text), compress(''), compress('end\n')])
      expect(await read(both, size)).toEqual({ out: `${text}end\n`, reason: null })
    },
  )

  test('a file that breaks off gives what comes before, then says that it is truncated', async () => {
    const whole = compress(text)
    const { out, reason } = await read(whole.subarray(0, whole.length - 2000), 1000)
    expect(reason).toBe('truncated-file')
    expect(text.startsWith(out)).toBe(true)
  })

  test('a file that breaks off in its second piece is truncated', async () => {
    const { out, reason } = await read(Buffer.concat([compress(text), compress(text).subarray(0, 50)]))
    expect(reason).toBe('truncated-file')
    expect(out.startsWith(text)).toBe(true)
  })

  test('a file of six bytes is truncated', async () => {
    expect(await read(compress(text).subarray(0, 6))).toEqual({ out: '', reason: 'truncated-file' })
  })

  test('bytes that cannot be are corrupt', async () => {
    expect((await read(Buffer.concat([compress(text), Buffer.from('no frame and no member')]))).reason).toBe(
      'corrupt-file',
    )
  })
})

test('frames to be skipped are skipped, checksums and sizes of every kind are read over', async () => {
  const skippable = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])
  const { constants } = await import('node:zlib')
  const checked = zstdCompressSync(text, { params: { [constants.ZSTD_c_checksumFlag]: 1 } })
  const long = zstdCompressSync('a'.repeat(1_000_000))
  for (const size of [1, 5, 100_000]) {
    const { out, reason } = await read(Buffer.concat([skippable, checked, skippable, long]), size)
    expect(reason).toBe(null)
    expect(out).toBe(text + 'a'.repeat(1_000_000))
  }
})

test('a bomb is read a bounded piece at a time', async () => {
  const bomb = gzipSync(Buffer.alloc(100_000_000))
  let [pieces, longest] = [0, 0]
  for await (const chunk of decompressed(chunks(bomb, 1000), 'gzip')) {
    pieces++
    longest = Math.max(longest, chunk.length)
  }
  expect(longest).toBeLessThanOrEqual(256 * 1024)
  expect(pieces).toBeGreaterThan(300)
})
