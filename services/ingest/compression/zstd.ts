import { constants, createZstdDecompress } from 'node:zlib'
import { DamagedFile } from './damaged-file.ts'
import { Engine } from './engine.ts'
import { chunkSize, headOf, wrongChecksum } from './gzip.ts'
import { type FrameSlice, windowLogMax, ZstdFrames } from './zstd-frames.ts'

const open = () =>
  new Engine(createZstdDecompress({ chunkSize, params: { [constants.ZSTD_d_windowLogMax]: windowLogMax } }))

/**
 * The frames of a Zstandard file one after the other. A frame is yielded block by block, each at most 128 KiB unpacked.
 * Throws DamagedFile where the file breaks off, after yielding every block before.
 */
export async function* unzstd(input: AsyncIterable<Buffer>, onVerified?: () => void): AsyncGenerator<Buffer> {
  const frames = new ZstdFrames()
  let engine: Engine | null = null
  let bytesGood = 0
  try {
    for await (const { bytes, last, end } of slicesOf(input, frames, () => bytesGood)) {
      engine ??= open()
      const { out, error } = await engine.give(bytes)
      yield* out
      if (error !== null) {
        const nowhere = error.message.includes('checksum')
        const message = nowhere ? wrongChecksum('zstd -dc') : `the compressed data cannot be read: ${error.message}`
        throw new DamagedFile('corrupt-file', message, error, headOf(bytesGood), { late: true, nowhere })
      }
      if (last) {
        engine.close()
        engine = null
        onVerified?.()
      }
      if (last || out.length > 0) bytesGood = end
    }
  } finally {
    engine?.close()
  }
  if (frames.between) return
  throw new DamagedFile('truncated-file', 'the file ends inside a Zstandard frame', undefined, frames.position)
}

async function* slicesOf(
  input: AsyncIterable<Buffer>,
  frames: ZstdFrames,
  bytesGood: () => number,
): AsyncGenerator<FrameSlice> {
  for await (const chunk of input) {
    const slices = frames.push(chunk)
    for (;;) {
      let next: IteratorResult<FrameSlice>
      try {
        next = slices.next()
      } catch (cause) {
        throw new DamagedFile('corrupt-file', (cause as Error).message, cause, bytesGood())
      }
      if (next.done) break
      yield next.value
    }
  }
}
