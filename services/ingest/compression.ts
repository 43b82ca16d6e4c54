import { type Duplex, pipeline, Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { type FrameSlice, ZstdFrames } from './zstd-frames.ts'

export type Compression = 'none' | 'gzip' | 'zstd'

/** A compressed file that ends early or holds bytes that cannot be: what came before it is good. */
export class DamagedFile extends Error {
  readonly reason: 'truncated-file' | 'corrupt-file'

  constructor(reason: DamagedFile['reason'], message: string, cause?: unknown) {
    super(message, { cause })
    this.reason = reason
  }
}

/** By the first four bytes, not by the name: files are renamed, and standard input has none. No JSON starts like this. */
export function compressionOf(head: Buffer): Compression {
  if (head.length >= 2 && head.readUInt16BE() === 0x1f8b) return 'gzip'
  if (head.length < 4) return 'none'
  const word = head.readUInt32LE()
  return word === 0xfd2fb528 || (word & 0xfffffff0) >>> 0 === 0x184d2a50 ? 'zstd' : 'none'
}

/** Large enough that the stream's own work per chunk does not count, small enough to hold several. */
const chunkSize = 256 * 1024

/**
 * The bytes of a source, decompressed chunk by chunk as they are asked for.
 * Throws DamagedFile where a compressed file breaks off; an error of the input itself passes as it is.
 */
export async function* decompressed(input: AsyncIterable<Buffer>, compression: Compression): AsyncGenerator<Buffer> {
  if (compression === 'none') yield* input
  else if (compression === 'gzip') yield* through(input, createGunzip({ chunkSize }))
  else yield* zstd(input)
}

async function* zstd(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const frames = new ZstdFrames()
  const slices = slicesOf(input, frames)
  try {
    for (let first = await slices.next(); !first.done; first = await slices.next()) {
      const frame = async function* () {
        for (let slice: IteratorResult<FrameSlice, void> = first; !slice.done; slice = await slices.next()) {
          yield slice.value.bytes
          if (slice.value.last) return
        }
      }
      yield* through(frame(), createZstdDecompress({ chunkSize }))
    }
  } finally {
    await slices.return(undefined)
  }
  if (!frames.between) throw new DamagedFile('truncated-file', 'the file ends inside a Zstandard frame')
}

async function* slicesOf(input: AsyncIterable<Buffer>, frames: ZstdFrames): AsyncGenerator<FrameSlice, void> {
  for await (const chunk of input) {
    try {
      yield* frames.push(chunk)
    } catch (error) {
      throw new DamagedFile('corrupt-file', (error as Error).message, error)
    }
  }
}

/** Runs bytes through a decompressor; `pipeline` carries backpressure and destroys both ends when the reader stops early. */
async function* through(input: AsyncIterable<Buffer>, decompressor: Duplex) {
  pipeline(Readable.from(input, { objectMode: true, highWaterMark: 1 }), decompressor, () => {
    // The error, if any, reaches the reader of `decompressor` below.
  })
  try {
    for await (const chunk of decompressor) yield chunk as Buffer
  } catch (error) {
    throw damage(error)
  }
}

function damage(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'Z_BUF_ERROR')
    return new DamagedFile('truncated-file', 'the file ends in the middle of its compressed data', error)
  if (code?.startsWith('Z_') || code?.startsWith('ZSTD_')) {
    return new DamagedFile('corrupt-file', `the compressed data cannot be read: ${message}`, error)
  }
  return error
}
