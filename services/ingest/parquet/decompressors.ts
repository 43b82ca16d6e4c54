import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { Compressors } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

/** zlib wants a length of 1 at least; a page that is empty unpacked is refused by its length anyway. */
const atMost = (byteLength: number) => ({ maxOutputLength: Math.max(byteLength, 1) })

/**
 * Unpacks pages, never to more than the length that the page's header gives (which `pagesOf` has checked): Node's own decompressors stop
 * there, those for Snappy and LZ4 write into a buffer of that length.
 */
export const boundedCompressors: Compressors = {
  ...compressors,
  GZIP: (packed, byteLength) => gunzipSync(packed, atMost(byteLength)),
  BROTLI: (packed, byteLength) => brotliDecompressSync(packed, atMost(byteLength)),
  ZSTD: (packed, byteLength) => zstdDecompressSync(packed, atMost(byteLength)),
}
