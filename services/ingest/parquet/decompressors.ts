import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { Compressors } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

/** zlib needs a length of at least 1; a page that unpacks to nothing is rejected by its length anyway. */
const atMost = (byteLength: number) => ({ maxOutputLength: Math.max(byteLength, 1) })

/**
 * Decompresses pages, never beyond the length in the page's header (which `pagesOf` has checked): Node's own decompressors stop there, those
 * for Snappy and LZ4 write into a buffer of that length.
 */
export const boundedCompressors: Compressors = {
  ...compressors,
  GZIP: (packed, byteLength) => gunzipSync(packed, atMost(byteLength)),
  BROTLI: (packed, byteLength) => brotliDecompressSync(packed, atMost(byteLength)),
  ZSTD: (packed, byteLength) => zstdDecompressSync(packed, atMost(byteLength)),
}
