import { type CompressedInput, gunzipped } from './gzip.ts'
import { unzstd } from './zstd.ts'

export type Compression = 'none' | 'gzip' | 'zstd'

/** By the first four bytes, not by the name: files get renamed, and standard input has no name. No JSON starts like this. */
export function compressionOf(head: Buffer): Compression {
  if (head.length >= 2 && head.readUInt16BE() === 0x1f8b) return 'gzip'
  if (head.length < 4) return 'none'
  const word = head.readUInt32LE()
  return word === 0xfd2fb528 || (word & 0xfffffff0) >>> 0 === 0x184d2a50 ? 'zstd' : 'none'
}

/**
 * The bytes of a source, decompressed piece by piece on demand.
 * Throws DamagedFile where a compressed file breaks off, after yielding everything before; an error of the input itself is passed on.
 * @param onVerified called when everything yielded so far has been compared with its checksums
 */
export async function* decompressed(
  input: CompressedInput,
  compression: Compression,
  onVerified?: () => void,
): AsyncGenerator<Buffer> {
  if (compression === 'none') yield* input.bytes
  else if (compression === 'gzip') yield* gunzipped(input, onVerified)
  else yield* unzstd(input.bytes, onVerified)
}
