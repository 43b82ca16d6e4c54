import { createGunzip } from 'node:zlib'
import { DamagedFile } from './damaged-file.ts'
import { Engine } from './engine.ts'
import { Slices } from './slices.ts'

/** Bytes of a file, and again from a position on; null: they cannot be read again. */
export interface CompressedInput {
  readonly bytes: AsyncIterable<Buffer>
  again(position: number): AsyncIterable<Buffer> | null
}

/** Large enough that the work per chunk is negligible, small enough to hold several. */
export const chunkSize = 256 * 1024

/** What is unpacked at a time; Deflate expands a byte to at most 1,032, so this to 17 MB. */
export const sliceBytes = 16 * 1024

/**
 * Of a file whose damage was detected late any byte may be the wrong one: it is known again by so few of them that the wrong one is hardly
 * among them.
 */
export const headOf = (bytes: number): number => Math.min(1024, Math.floor(bytes / 8))

/** @param command that unpacks the file all the same */
export const wrongChecksum = (command: string): string =>
  `the checksum of the compressed data is wrong: some of what it unpacks to is not what was written, and which is not known (${command} unpacks it all the same)`

const isChecksum = ({ message }: Error) => message === 'incorrect data check' || message === 'incorrect length check'

const isMember = (bytes: Buffer) => bytes[0] === 0x1f && (bytes.length < 2 || bytes[1] === 0x8b)

/**
 * The members of a gzip file one after the other, skipping zero bytes between and after them (tapes and block devices pad like this).
 * Throws DamagedFile where the file breaks off, after yielding everything before the bad byte.
 */
export async function* gunzipped(input: CompressedInput, onVerified?: () => void): AsyncGenerator<Buffer> {
  const slices = new Slices(input.bytes, sliceBytes)
  try {
    while (await slices.skipZeros()) {
      const slice = (await slices.next())!
      const { position } = slices
      slices.unread(slice)
      if (!isMember(slice)) {
        const message = `what follows from byte ${position - slice.length + 1} on is not gzip`
        throw new DamagedFile('corrupt-file', message, undefined, slices.good)
      }
      yield* membersOf(slices, input)
      onVerified?.()
    }
  } finally {
    await slices.close()
  }
}

/** Members that directly follow one another. */
async function* membersOf(slices: Slices, input: CompressedInput): AsyncGenerator<Buffer> {
  const engine = new Engine(createGunzip({ chunkSize }))
  const start = slices.position
  let delivered = 0
  try {
    for (let slice = await slices.next(); slice !== null; slice = await slices.next()) {
      const { out, error } = await engine.give(slice)
      for (const piece of out) {
        yield piece
        delivered += piece.length
      }
      if (error !== null) {
        const failing = { start, slice, before: engine.given - slice.length, delivered, good: slices.good }
        return yield* replay(failing, input, error)
      }
      if (engine.ended) {
        slices.unread(slice.subarray(slice.length - engine.untaken))
        slices.good = slices.position
        return
      }
      if (out.length > 0) slices.good = slices.position
    }
    const { out, error } = await engine.finish()
    yield* out
    if (error === null) return
    const message = 'the file ends in the middle of its compressed data'
    throw new DamagedFile('truncated-file', message, error, slices.position)
  } finally {
    engine.close()
  }
}

interface Failing {
  /** Where the decompressor's first byte is in the file. */
  readonly start: number
  /** The bytes that it failed on, and how many it was given before. */
  readonly slice: Buffer
  readonly before: number
  /** Bytes that it had unpacked by then. */
  readonly delivered: number
  readonly good: number
}

/**
 * What the failing slice unpacks to before the bad byte, which the decompressor does not return: it is unpacked again, the slice byte by byte.
 * Then throws the DamagedFile.
 */
async function* replay(failing: Failing, { again }: CompressedInput, cause: Error): AsyncGenerator<Buffer> {
  const { start, slice, before, delivered } = failing
  const bytes = again(start)
  const engine = new Engine(createGunzip({ chunkSize }))
  let [toSkip, bytesGood] = [delivered, failing.good]
  try {
    if (bytes !== null) {
      for await (const chunk of before === 0 ? [] : bytes) {
        const part = chunk.subarray(0, before - engine.given)
        for (let from = 0; from < part.length; from += sliceBytes) {
          for (const piece of (await engine.give(part.subarray(from, from + sliceBytes))).out) toSkip -= piece.length
        }
        if (engine.given === before) break
      }
      for (let from = 0; engine.given === before + from && from < slice.length; from++) {
        const { out, error } = await engine.give(slice.subarray(from, from + 1))
        for (const piece of out) {
          if (piece.length > toSkip) yield piece.subarray(Math.max(toSkip, 0))
          toSkip -= piece.length
          bytesGood = Math.max(bytesGood, start + before + from + 1)
        }
        if (error !== null) break
      }
    }
  } finally {
    engine.close()
  }
  const garbage = cause.message === 'incorrect header check' && toSkip < delivered
  const message = garbage
    ? 'what follows the compressed data is not gzip'
    : isChecksum(cause)
      ? wrongChecksum('gzip -dc')
      : `the compressed data cannot be read: ${cause.message}`
  // Wrong Deflate bytes unpack to garbage until an invalid code comes, or the checksum.
  if (garbage) throw new DamagedFile('corrupt-file', message, cause, bytesGood)
  throw new DamagedFile('corrupt-file', message, cause, headOf(bytesGood), {
    late: true,
    nowhere: isChecksum(cause),
  })
}
