import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { boundedCompressors } from '../../../../services/ingest/parquet/decompressors.ts'
import { MemoryKafka } from '../memory-kafka.ts'
import { folder, run } from '../support.ts'
import { parquetRows } from './support.ts'

const bomb = Buffer.alloc(50_000_000, 'a')

/** Literal `a`, then one copy of it as long as the bytes say. */
const lz4Bomb = Buffer.concat([
  Buffer.from([0x1f, 0x61, 1, 0]),
  Buffer.alloc(200_000, 255),
  Buffer.from([0, 0x10, 0x62]),
])
/** The length as a varint (50 million), the letter `a`, then copies of 64 bytes. */
const snappyBomb = Buffer.concat([
  Buffer.from([0x80, 0xe1, 0xeb, 0x17, 0x00, 0x61]),
  Buffer.alloc(3 * 781_250, Buffer.from([0xfe, 1, 0])),
])

describe.each([
  ['GZIP', gzipSync(bomb)],
  ['BROTLI', brotliCompressSync(bomb)],
  ['ZSTD', zstdCompressSync(bomb)],
  ['SNAPPY', snappyBomb],
  ['LZ4', lz4Bomb],
  ['LZ4_RAW', lz4Bomb],
] as const)('%s', (codec, packed) => {
  test('never decompress to more than the page header says', () => {
    const before = process.memoryUsage().arrayBuffers
    const unpack = () => boundedCompressors[codec]!(packed, 1000).length
    expect(unpack).toThrow()
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(bomb.length / 2)
  })
})

test('a decompression bomb in a page makes the file a damaged one', async () => {
  const kafka = new MemoryKafka()
  const path = folder({ 'a.parquet': parquetRows(8, { pack: () => gzipSync(bomb) }) })
  expect(await run(kafka, [path])).toMatchObject({ failed: 1, documents: 0 })
  expect(kafka.deadLetters).toMatchObject([{ reason: 'corrupt-file', line: 1 }])
})
