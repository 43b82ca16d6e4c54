import { mix32 } from '../../../topologies/hash.ts'
import { forEachShingle } from './shingles.ts'

/** Length of a signature. Two signatures estimate a similarity s with a standard deviation of sqrt(s (1 - s) / 112): 0.04 at 0.8. */
export const signatureLength = 112

/** The permutation is the same in every run, so signatures of different runs can be compared. */
const seed = 0x9e3779b9
const nothing = 0xffffffff

/**
 * The MinHash signature of a text (Broder 1997): the share of equal numbers in two signatures estimates the Jaccard similarity of their sets
 * of shingles. One permutation of the shingles' hashes is cut into as many bins as there are numbers, and each number is the least of its bin
 * (Li, Owen and Zhang 2012), a hundredth of the work of one permutation per number. An empty bin takes the number of another, chosen by a hash
 * that is the same for all texts (Shrivastava 2017), which keeps the estimate unbiased for short texts. Undefined for a text without shingles.
 */
export function signatureOf(text: string): Uint32Array | undefined {
  const signature = new Uint32Array(signatureLength).fill(nothing)
  let filled = 0
  forEachShingle(text, (hash) => {
    const bin = Math.floor((hash * signatureLength) / 2 ** 32)
    const value = mix32(hash ^ seed)
    if (signature[bin] === nothing) filled++
    // The largest number stands for an empty bin.
    if (value < signature[bin]!) signature[bin] = value
  })
  if (filled === 0) return undefined
  return filled === signatureLength ? signature : densified(signature)
}

function densified(sparse: Uint32Array): Uint32Array {
  return sparse.map((value, bin) => {
    if (value !== nothing) return value
    for (let attempt = 1; ; attempt++) {
      const other = Math.floor((mix32(Math.imul(bin + 1, seed) + attempt) * signatureLength) / 2 ** 32)
      if (sparse[other] !== nothing) return sparse[other]!
    }
  })
}

/** Estimated Jaccard similarity. */
export function similarity(a: Uint32Array, b: Uint32Array): number {
  let equal = 0
  for (let row = 0; row < signatureLength; row++) if (a[row] === b[row]) equal++
  return equal / signatureLength
}
