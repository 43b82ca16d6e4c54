import { createHash } from 'node:crypto'
import { type Banding, bandingFor, bandKeys } from '../../../topologies/duplicates/bands.ts'
import { MinHash, similarity } from '../../../topologies/duplicates/minhash.ts'
import { forEachShingle } from './shingles.ts'

/** Length of a signature: its estimates have a standard deviation of 0.04 at a similarity of 0.8. */
const signatureLength = 112

/** A document's place: the index of its file, and the line, both from 0. */
export interface Place {
  readonly file: number
  readonly line: number
}

/** Why a document is left out, and the one that is kept instead. */
export interface Duplicate {
  readonly reason: 'exact-duplicate' | 'near-duplicate'
  readonly of: Place
  /** Estimated Jaccard similarity of the two; 1 for an exact one. */
  readonly similarity: number
}

/** The lowest similarity of near duplicates; undefined: exact ones only. */
export interface DuplicateOptions {
  readonly nearSimilarity: number | undefined
}

/**
 * The documents kept so far: of duplicates the first is kept. About 200 bytes per document for exact duplicates, two kilobytes for near ones,
 * which bounds the number of documents.
 */
export class DuplicateIndex {
  readonly #nearSimilarity: number | undefined
  readonly #banding: Banding
  readonly #minhash = new MinHash(signatureLength)
  readonly #byDigest = new Map<string, Place>()
  /** By band, and by key: the document(s) that have it. */
  readonly #byBand: Map<number, number | number[]>[]
  readonly #kept: { place: Place; signature: Uint32Array }[] = []

  constructor({ nearSimilarity }: DuplicateOptions) {
    this.#nearSimilarity = nearSimilarity
    this.#banding = bandingFor(nearSimilarity ?? 1, signatureLength)
    this.#byBand = Array.from({ length: this.#banding.bands }, () => new Map())
  }

  /** Adds a document, unless it duplicates one that is there already. @returns what it duplicates */
  add(text: string, place: Place): Duplicate | undefined {
    const digest = createHash('sha256').update(text).digest('base64')
    const same = this.#byDigest.get(digest)
    if (same !== undefined) return { reason: 'exact-duplicate', of: same, similarity: 1 }
    const near = this.#addNear(text, place)
    // An exact copy of a near duplicate is reported as a duplicate of the kept document.
    this.#byDigest.set(digest, near?.of ?? place)
    return near
  }

  #addNear(text: string, place: Place): Duplicate | undefined {
    const nearSimilarity = this.#nearSimilarity
    if (nearSimilarity === undefined) return undefined
    forEachShingle(text, (hash) => this.#minhash.add(hash))
    const signature = this.#minhash.end()
    if (signature === undefined) return undefined
    const keys = bandKeys(signature, this.#banding)
    const candidates = new Set(keys.flatMap((key, band) => this.#byBand[band]!.get(key) ?? []))
    let best: Duplicate | undefined
    for (const number of candidates) {
      const kept = this.#kept[number]!
      const similar = similarity(signature, kept.signature)
      if (similar >= nearSimilarity && similar > (best?.similarity ?? 0))
        best = { reason: 'near-duplicate', of: kept.place, similarity: similar }
    }
    if (best !== undefined) return best
    const number = this.#kept.push({ place, signature }) - 1
    for (const [band, key] of keys.entries()) {
      const numbers = this.#byBand[band]!
      const others = numbers.get(key)
      if (others === undefined) numbers.set(key, number)
      else if (typeof others === 'number') numbers.set(key, [others, number])
      else others.push(number)
    }
    return undefined
  }
}
