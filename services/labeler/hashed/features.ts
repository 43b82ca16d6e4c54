import { z } from 'zod'
import { fnvOffset, fnvPrime, mix32 } from '../../../topologies/hash.ts'

/** What a hashed model reads of a text. Stored in model.json: a model is only valid with the features it was trained on. */
export const featureSpec = z.strictObject({
  /** At most this many UTF-16 units from the start are read, which bounds the work per document. */
  characters: z.number().int().min(1).max(1_000_000),
  /** n-grams are hashed to 2^bits buckets, of which a model keeps those worth a row of weights. */
  bits: z.number().int().min(8).max(24),
  /** n-grams of words: from one up to this many. */
  wordGrams: z.number().int().min(0).max(2),
  /** Lengths of character n-grams within a word, its boundaries included. */
  characterGrams: z.array(z.number().int().min(2).max(8)).max(4),
})
export type FeatureSpec = z.infer<typeof featureSpec>

/** Surface statistics that n-grams do not capture; see `FeatureExtractor.surface`. */
export const surfaceNames = [
  'logLength',
  'letters',
  'capitals',
  'digits',
  'spaces',
  'lines',
  'punctuation',
  'foreign',
  'wordLength',
  'variety',
] as const
export const surfaceCount = surfaceNames.length

const space = 0
const letter = 1
const digit = 2
const other = 3
const apostrophe = 0x27

/** Class and lower case of each UTF-16 unit. Surrogates, even lone ones, count as letters: any sequence of units has features. */
const unitClass = new Uint8Array(65_536)
const unitLower = new Uint16Array(65_536)
let unitsFilled = false

/** By the first that extracts features: most commands extract none. */
function fillUnits(): void {
  unitsFilled = true
  for (let unit = 0; unit < 65_536; unit++) {
    const character = String.fromCharCode(unit)
    const lower = character.toLowerCase()
    unitLower[unit] = lower.length === 1 ? lower.charCodeAt(0) : unit
    if (/\s/u.test(character) || unit === 0) unitClass[unit] = space
    else if (/\p{Nd}/u.test(character)) unitClass[unit] = digit
    else if (unit === apostrophe || /[\p{L}\p{M}\p{Cs}]/u.test(character)) unitClass[unit] = letter
    else unitClass[unit] = other
  }
}

/** Longer words (base64, DNA, minified code) are cut, so that a word's n-grams cannot crowd out the rest. */
const wordLengthMax = 40

/**
 * Counts hashed n-grams of a text without allocating: after `extract`, the first `size` entries of `rows` are the distinct rows hit,
 * in order of first occurrence, and `counts[i]` is how often `rows[i]` was hit. The arrays are reused by the next call.
 */
export class FeatureExtractor {
  readonly rows: Uint32Array
  readonly counts: Uint32Array
  readonly surface = new Float64Array(surfaceCount)
  size = 0
  readonly #spec: FeatureSpec
  readonly #shift: number
  /** Row of each bucket; -1 where it has none. */
  readonly #rowOf: Int32Array
  readonly #tally: Uint32Array
  readonly #word = new Uint16Array(wordLengthMax + 2)

  /** `kept`: the bucket of each row; without it every bucket is a row. */
  constructor(
    spec: FeatureSpec,
    kept: Uint32Array = Uint32Array.from({ length: 2 ** spec.bits }, (_, bucket) => bucket),
  ) {
    if (!unitsFilled) fillUnits()
    this.#spec = spec
    this.#shift = 32 - spec.bits
    this.#rowOf = new Int32Array(2 ** spec.bits).fill(-1)
    for (const [row, bucket] of kept.entries()) this.#rowOf[bucket] = row
    this.#tally = new Uint32Array(kept.length)
    this.rows = new Uint32Array(kept.length)
    this.counts = new Uint32Array(kept.length)
  }

  /** `wholeLength`: the length of the document, of which `text` may be a prefix. */
  extract(text: string, wholeLength: number = text.length): void {
    const length = Math.min(text.length, this.#spec.characters)
    this.size = 0
    const seen = [0, 0, 0, 0]
    let capitals = 0
    let lines = 0
    let foreign = 0
    let words = 0
    let wordUnits = 0
    let previous = 0
    let position = 0
    while (position < length) {
      const first = text.charCodeAt(position)
      const kind = unitClass[first]!
      if (kind === space) {
        if (first === 10) lines++
        seen[space]!++
        position++
        continue
      }
      const start = position
      let hash = fnvOffset
      let kept = 0
      do {
        const unit = text.charCodeAt(position)
        const lower = unitLower[unit]!
        if (lower !== unit) capitals++
        if (unit > 127) foreign++
        if (kept < wordLengthMax) {
          hash = Math.imul(hash ^ lower, fnvPrime)
          this.#word[++kept] = lower
        }
        position++
      } while (position < length && kind !== other && unitClass[text.charCodeAt(position)] === kind)
      seen[kind]! += position - start
      if (kind === letter) {
        words++
        wordUnits += position - start
      }
      if (this.#spec.wordGrams > 0) this.#hit(hash)
      if (this.#spec.wordGrams > 1) {
        this.#hit(Math.imul(previous, 0x9e3779b1) ^ hash ^ 0x5bd1e995)
        previous = hash
      }
      if (kind === letter) this.#characterGrams(kept)
    }
    this.#collect()
    this.#measure(wholeLength, length, seen, capitals, lines, foreign, words === 0 ? 0 : wordUnits / words)
  }

  #characterGrams(kept: number): void {
    const word = this.#word
    const end = kept + 1
    word[0] = 0x3c
    word[end] = 0x3e
    for (const size of this.#spec.characterGrams) {
      for (let start = 0; start + size <= end + 1; start++) {
        let hash = (fnvOffset ^ Math.imul(size, 0x27d4eb2f)) | 0
        for (let i = start; i < start + size; i++) hash = Math.imul(hash ^ word[i]!, fnvPrime)
        this.#hit(hash)
      }
    }
  }

  #hit(hash: number): void {
    const row = this.#rowOf[mix32(hash) >>> this.#shift]!
    if (row >= 0 && this.#tally[row]!++ === 0) this.rows[this.size++] = row
  }

  #collect(): void {
    for (let i = 0; i < this.size; i++) {
      const row = this.rows[i]!
      this.counts[i] = this.#tally[row]!
      this.#tally[row] = 0
    }
  }

  #measure(
    whole: number,
    length: number,
    seen: number[],
    capitals: number,
    lines: number,
    foreign: number,
    wordLength: number,
  ) {
    const units = Math.max(1, length)
    let hits = 0
    for (let i = 0; i < this.size; i++) hits += this.counts[i]!
    this.surface.set([
      Math.log1p(whole),
      seen[letter]! / units,
      capitals / units,
      seen[digit]! / units,
      seen[space]! / units,
      lines / units,
      seen[other]! / units,
      foreign / units,
      Math.min(wordLength, wordLengthMax),
      this.size / Math.max(1, hits),
    ])
  }
}
