import { Words } from '../decontamination/words.ts'
import { mix32 } from '../hash.ts'
import { bandKeys } from './bands.ts'
import { MinHash } from './minhash.ts'

/** How documents are sketched. The same values make the same sketches, wherever and whenever. */
export interface SketchConfig {
  /** Words of a shingle. */
  readonly words: number
  readonly bands: number
  /** Numbers of the signature that make a band. */
  readonly rows: number
  readonly seed: number
}

/** As FineWeb compares documents (Penedo et al. 2024): runs of five words, 14 bands of 8. */
export const sketchDefaults = { words: 5, bands: 14, rows: 8, seed: 1 } as const satisfies SketchConfig

/** What sketches are called that are made so: another name for each other configuration. */
export const sketchVersion = ({ words, bands, rows, seed }: SketchConfig): string =>
  `w${words}b${bands}r${rows}s${seed}`

export const sketchVersionRule = /^w[1-9][0-9]*b[1-9][0-9]*r[1-9][0-9]*s[0-9]+$/

/** The configuration of sketches that are called so. @throws RangeError for what is no name of sketches */
export function sketchConfigOf(version: string): SketchConfig {
  if (!sketchVersionRule.test(version)) throw new RangeError(`${version} names no sketches`)
  const [words, bands, rows, seed] = version.match(/[0-9]+/g)!.map(Number)
  return { words: words!, bands: bands!, rows: rows!, seed: seed! }
}

/** Odd, so that no bit of a word's hash is lost. */
const base = 0x2c1b3c6d

/**
 * Makes sketches: the band keys of the MinHash signature of a document's shingles, which are its runs of some words, as decontamination reads words.
 * A document of fewer words is a single shingle; one without words has no band key. A key is a 53-bit number that carries the number of its band, so of
 * two documents those keys are equal whose bands are (and one pair in 2^53 of other bands).
 */
export class Sketcher {
  readonly #config: SketchConfig
  readonly #words = new Words()
  readonly #minhash: MinHash
  /** The weight of the word that leaves the window. */
  readonly #leaving: number
  readonly #seed: number

  constructor(config: SketchConfig) {
    this.#config = config
    this.#minhash = new MinHash(config.bands * config.rows)
    this.#leaving = Array.from({ length: config.words }).reduce((power: number) => Math.imul(power, base), 1)
    this.#seed = mix32(config.seed)
  }

  /** @returns one key for each band; none for a text without words */
  keysOf(text: string): number[] {
    const { bands, rows } = this.#config
    this.#addShingles(text)
    const signature = this.#minhash.end()
    return signature === undefined ? [] : bandKeys(signature, { bands, rowsPerBand: rows })
  }

  #addShingles(text: string): void {
    const minhash = this.#minhash
    const leaving = this.#leaving
    const seed = this.#seed
    const { hashes, count } = this.#words.read(text)
    const n = this.#config.words
    let hash = 0
    for (let i = 0; i < count; i++) {
      hash = (Math.imul(hash, base) + hashes[i]!) | 0
      if (i >= n) hash = (hash - Math.imul(hashes[i - n]!, leaving)) | 0
      if (i >= n - 1) minhash.add(mix32(hash ^ seed))
    }
    if (count > 0 && count < n) minhash.add(mix32(hash ^ seed))
  }
}
