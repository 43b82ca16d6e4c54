import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { compressors } from 'hyparquet-compressors'
import kafkajs from 'kafkajs'
import { decompressFrameSync } from 'lz4-napi'

/**
 * A batch has at most 1 MB compressed by the broker's default; more than this uncompressed is an attack on the reader's memory. LZ4 needs no
 * bound of its own: its ratio is at most 255.
 */
export const unpackedBytesMax = 256 * 1024 * 1024

/** 0x82 "SNAPPY" 0x00, the version, and the oldest version that can read it. */
const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const xerialHeaderBytes = xerialMagic.length + 8

/** Snappy as Java's clients write it, in xerial's framing, or raw, as librdkafka does. @throws Error if the bytes are neither */
export function unpackSnappy(packed: Buffer): Buffer {
  if (!isXerial(packed, 0)) return Buffer.from(unpackBlock(packed, unpackedBytesMax))
  const blocks: Uint8Array[] = []
  let bytes = 0
  for (let at = 0; at < packed.length; ) {
    // Streams may be concatenated: each begins with its header.
    if (isXerial(packed, at)) {
      at += xerialHeaderBytes
      continue
    }
    if (at + 4 > packed.length) throw new Error('Snappy: it ends in the length of a block')
    const length = packed.readInt32BE(at)
    if (length < 0 || at + 4 + length > packed.length) throw new Error('Snappy: it ends in a block')
    const block = unpackBlock(packed.subarray(at + 4, at + 4 + length), unpackedBytesMax - bytes)
    blocks.push(block)
    bytes += block.length
    at += 4 + length
  }
  return Buffer.concat(blocks, bytes)
}

const isXerial = (bytes: Buffer, at: number): boolean =>
  xerialMagic.equals(bytes.subarray(at, at + xerialMagic.length)) && at + xerialHeaderBytes <= bytes.length

/** A raw block begins with its uncompressed length, a varint. */
function unpackBlock(block: Buffer, bytesMax: number): Uint8Array {
  let length = 0
  for (let i = 0; ; i++) {
    const byte = block[i]
    if (byte === undefined || i === 5) throw new Error('Snappy: a block does not begin with its length')
    length += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) break
  }
  if (length > bytesMax) throw new Error(`Snappy: more than ${unpackedBytesMax} bytes unpacked`)
  return compressors.SNAPPY!(block, length)
}

const bounded = { maxOutputLength: unpackedBytesMax }
const { CompressionCodecs, CompressionTypes } = kafkajs

const unpackers: Record<number, (packed: Buffer) => Buffer> = {
  [CompressionTypes.Snappy]: unpackSnappy,
  [CompressionTypes.LZ4]: (packed) => decompressFrameSync(packed),
  [CompressionTypes.ZSTD]: (packed) => zstdDecompressSync(packed, bounded),
}

/** kafkajs 2.2.4 ships gzip only and has hooks for other codecs. winnow reads them; it writes none of them. */
for (const [type, unpack] of Object.entries(unpackers)) {
  CompressionCodecs[Number(type) as keyof typeof CompressionCodecs] = () => ({
    compress: () => {
      throw new TypeError('winnow writes records plain or in gzip')
    },
    decompress: async (packed: Buffer) => unpack(packed),
  })
}

const { compress }: { compress(encoder: unknown): Promise<Buffer> } = CompressionCodecs[CompressionTypes.GZIP]()
CompressionCodecs[CompressionTypes.GZIP] = () => ({
  compress,
  decompress: async (packed: Buffer) => gunzipSync(packed, bounded),
})
