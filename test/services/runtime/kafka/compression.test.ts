import { zstdCompressSync } from 'node:zlib'
import kafkajs from 'kafkajs'
import { compressFrameSync } from 'lz4-napi'
import { describe, expect, test } from 'vitest'
import { unpackedBytesMax, unpackSnappy } from '../../../../services/runtime/kafka/compression.ts'

/** A raw block of Snappy: its length, then literals of at most 60 bytes. */
function block(text: string): Buffer {
  const bytes = Buffer.from(text)
  const parts = [Buffer.from([bytes.length])]
  for (let at = 0; at < bytes.length; at += 60) {
    const literal = bytes.subarray(at, at + 60)
    parts.push(Buffer.from([(literal.length - 1) << 2]), literal)
  }
  return Buffer.concat(parts)
}

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
const xerialHeader = Buffer.from('82534e41505059000000000100000001', 'hex')
const framed = (text: string): Buffer => Buffer.concat([int32(block(text).length), block(text)])

describe('Snappy', () => {
  test('is decompressed without framing, as librdkafka writes it', () => {
    expect(unpackSnappy(block('a bare block')).toString()).toBe('a bare block')
  })

  test('is decompressed in xerial framing, as Java writes it, including several blocks and concatenated streams', () => {
    const stream = Buffer.concat([xerialHeader, framed('one, '), framed('two, '), xerialHeader, framed('three')])
    expect(unpackSnappy(stream).toString()).toBe('one, two, three')
    expect(unpackSnappy(xerialHeader)).toHaveLength(0)
  })

  test('that is truncated, or claims to be longer than any batch, is an error', () => {
    const stream = Buffer.concat([xerialHeader, framed('one, '), framed('two')])
    const whole = new Set([xerialHeader.length, xerialHeader.length + framed('one, ').length, stream.length])
    for (let end = 1; end < stream.length; end++) {
      if (!whole.has(end)) expect(() => unpackSnappy(stream.subarray(0, end)), `${end} bytes`).toThrow()
    }
    expect(() => unpackSnappy(Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0]))).toThrow(`${unpackedBytesMax} bytes`)
    expect(() => unpackSnappy(Buffer.alloc(0))).toThrow('does not begin with its length')
  })
})

const unpack = (type: 1 | 3 | 4, packed: Buffer): Promise<Buffer> =>
  kafkajs.CompressionCodecs[type]().decompress(packed)

test('LZ4 and zstd are decompressed, and other bytes are an error', async () => {
  const text = 'the same again, '.repeat(1000)
  const { LZ4, ZSTD, GZIP } = kafkajs.CompressionTypes
  expect((await unpack(LZ4, compressFrameSync(Buffer.from(text)))).toString()).toBe(text)
  expect((await unpack(ZSTD, zstdCompressSync(text))).toString()).toBe(text)
  for (const type of [LZ4, ZSTD, GZIP] as const) {
    await expect(unpack(type, Buffer.from('neither of them'))).rejects.toThrow()
  }
  await expect(unpack(LZ4, compressFrameSync(Buffer.from(text)).subarray(0, 40))).rejects.toThrow()
})

test('a batch that decompresses beyond the bound is an error and does not use up the memory', async () => {
  const bomb = zstdCompressSync(Buffer.alloc(unpackedBytesMax + 1))
  expect(bomb.length).toBeLessThan(100_000)
  await expect(unpack(kafkajs.CompressionTypes.ZSTD, bomb)).rejects.toThrow('Cannot create a Buffer larger')
})
