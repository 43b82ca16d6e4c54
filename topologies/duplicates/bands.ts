import { fnvPrime, key53, mix32 } from '../hash.ts'

/** How signatures are cut so that similar ones are found without comparing all pairs: only those that share a band are compared. */
export interface Banding {
  readonly bands: number
  readonly rowsPerBand: number
}

const foundMin = 0.9

/** The share of pairs of this similarity that share a band. */
export const shareFound = (similarity: number, { bands, rowsPerBand }: Banding): number =>
  1 - (1 - similarity ** rowsPerBand) ** bands

/**
 * The longest bands, so the fewest needless comparisons, that still find nine in ten pairs at the given similarity, and almost all above it.
 * For 0.8 and signatures of 112 numbers: 14 bands of 8 rows, as in FineWeb (Penedo et al. 2024).
 */
export function bandingFor(similarityMin: number, signatureLength: number): Banding {
  for (let rowsPerBand = 32; rowsPerBand > 1; rowsPerBand--) {
    const banding = { rowsPerBand, bands: Math.floor(signatureLength / rowsPerBand) }
    if (shareFound(similarityMin, banding) >= foundMin) return banding
  }
  return { rowsPerBand: 1, bands: signatureLength }
}

/** A 53-bit number for each band of a signature: documents that share one are candidates. */
export function bandKeys(signature: Uint32Array, { bands, rowsPerBand }: Banding): number[] {
  const keys = new Array<number>(bands)
  for (let band = 0; band < bands; band++) {
    let low = 0
    let high = band
    for (let row = band * rowsPerBand; row < (band + 1) * rowsPerBand; row++) {
      low = mix32(Math.imul(low, fnvPrime) ^ signature[row]!)
      high = mix32(Math.imul(high, 0x9e3779b1) ^ signature[row]!)
    }
    keys[band] = key53(high, low)
  }
  return keys
}
