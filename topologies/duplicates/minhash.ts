import { mix32 } from '../hash.ts'

/** The permutation is the same in every run, so signatures of different runs can be compared. */
const seed = 0x9e3779b9
const nothing = 0xffffffff

/** Calls `visit` with an evenly spread 32-bit hash of each shingle of a text. */
export type ForEachShingle = (visit: (hash: number) => void) => void

/**
 * The MinHash signature of a set of shingles (Broder 1997): the share of equal numbers in two signatures estimates the Jaccard similarity of
 * their sets, with a standard deviation of sqrt(s (1 - s) / length) at a similarity s. One permutation of the shingles' hashes is cut into as many
 * bins as there are numbers, and each number is the least of its bin (Li, Owen and Zhang 2012), a hundredth of the work of one permutation per
 * number. An empty bin takes the number of another, chosen by a hash that is the same for all texts (Shrivastava 2017), which keeps the estimate
 * unbiased for short texts. Undefined for a text without shingles.
 * @param length how many numbers
 */
export function signatureOf(forEachShingle: ForEachShingle, length: number): Uint32Array | undefined {
  const signature = new Uint32Array(length).fill(nothing)
  let filled = 0
  forEachShingle((hash) => {
    const bin = Math.floor((hash * length) / 2 ** 32)
    const value = mix32(hash ^ seed)
    if (signature[bin] === nothing) filled++
    // The largest number stands for an empty bin.
    if (value < signature[bin]!) signature[bin] = value
  })
  if (filled === 0) return undefined
  return filled === length ? signature : densified(signature)
}

function densified(sparse: Uint32Array): Uint32Array {
  return sparse.map((value, bin) => {
    if (value !== nothing) return value
    for (let attempt = 1; ; attempt++) {
      const other = Math.floor((mix32(Math.imul(bin + 1, seed) + attempt) * sparse.length) / 2 ** 32)
      if (sparse[other] !== nothing) return sparse[other]!
    }
  })
}

/** Estimated Jaccard similarity, of two signatures of the same length. */
export function similarity(a: Uint32Array, b: Uint32Array): number {
  let equal = 0
  for (let row = 0; row < a.length; row++) if (a[row] === b[row]) equal++
  return equal / a.length
}
