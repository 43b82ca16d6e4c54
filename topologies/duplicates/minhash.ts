import { mix32 } from '../hash.ts'

/** The permutation is the same in every run, so signatures of different runs can be compared. */
const seed = 0x9e3779b9
const nothing = 0xffffffff

/**
 * The MinHash signature of a set of shingles (Broder 1997): the share of equal numbers in two signatures estimates the Jaccard similarity of
 * their sets, with a standard deviation of sqrt(s (1 - s) / length) at a similarity s. One permutation of the shingles' hashes is cut into as many
 * bins as there are numbers, and each number is the least of its bin (Li, Owen and Zhang 2012), a hundredth of the work of one permutation per
 * number. An empty bin takes the number of another, chosen by a hash that is the same for all texts (Shrivastava 2017), which keeps the estimate
 * unbiased for short texts. Used for one set after another: the numbers are kept in place, since there are millions of sets.
 */
export class MinHash {
  readonly #least: Uint32Array
  #filled = 0

  /** @param length how many numbers a signature has */
  constructor(length: number) {
    this.#least = new Uint32Array(length).fill(nothing)
  }

  /** @param hash of a shingle, 32 evenly spread bits, unsigned */
  add(hash: number): void {
    const least = this.#least
    const bin = Math.floor((hash * least.length) / 2 ** 32)
    const value = mix32(hash ^ seed)
    // The largest number stands for an empty bin.
    if (value >= least[bin]!) return
    if (least[bin] === nothing) this.#filled++
    least[bin] = value
  }

  /** The signature of what was added since the last one; undefined where nothing was. */
  end(): Uint32Array | undefined {
    if (this.#filled === 0) return undefined
    const signature = this.#filled === this.#least.length ? this.#least.slice() : densified(this.#least)
    this.#least.fill(nothing)
    this.#filled = 0
    return signature
  }
}

function densified(sparse: Uint32Array): Uint32Array {
  const { length } = sparse
  const dense = new Uint32Array(length)
  for (let bin = 0; bin < length; bin++) {
    let value = sparse[bin]!
    for (let attempt = 1; value === nothing; attempt++)
      value = sparse[Math.floor((mix32(Math.imul(bin + 1, seed) + attempt) * length) / 2 ** 32)]!
    dense[bin] = value
  }
  return dense
}

/** Estimated Jaccard similarity, of two signatures of the same length. */
export function similarity(a: Uint32Array, b: Uint32Array): number {
  let equal = 0
  for (let row = 0; row < a.length; row++) if (a[row] === b[row]) equal++
  return equal / a.length
}
