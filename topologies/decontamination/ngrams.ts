import { mix32 } from '../hash.ts'
import { simplified, Words } from './words.ts'

/** Odd, so that no bit of a word's hash is lost. */
const base = 0x2c1b3c6d

/** Bits of the first look-up for each n-gram: one n-gram of a document in sixteen that is in no item gets past it. */
const bitsPerNgram = 16

/** Where an item's n-grams stand in a document. */
export interface Found {
  readonly item: number
  /** Number of the n-gram. */
  readonly ngram: number
  /** Number of its first word in the document. */
  readonly word: number
}

/**
 * All runs of n words of some items, to be found in documents: a bitmap that almost nothing else gets past, a table by hash, and the words themselves,
 * which are compared. Nothing is missed, and nothing is found that is not there.
 */
export class Ngrams {
  readonly #n: number
  /** The weight of the word that leaves the window. */
  readonly #leaving: number
  readonly #texts: string[] = []
  readonly #hashes: number[] = []
  /** The item and the stretch of its simplified text that an n-gram was first seen in. */
  readonly #first: { text: number; start: number; end: number }[] = []
  readonly #items: number[][] = []
  #bits = new Uint32Array(16)
  /** Numbers of n-grams plus one; 0 is free. At most half of them are taken. */
  #slots = new Int32Array(64)

  constructor(n: number) {
    this.#n = n
    this.#leaving = Array.from({ length: n }).reduce((power: number) => Math.imul(power, base), 1)
  }

  /** @returns how many different n-grams the item has */
  add(item: number, text: string): number {
    const simple = simplified(text)
    const at = this.#texts.push(simple) - 1
    const words = new Words().read(simple)
    const seen = new Set<number>()
    this.#forEach(words, (hash, word) => {
      const [start, end] = [words.starts[word]!, words.ends[word + this.#n - 1]!]
      let ngram = this.#find(hash, () => simple.slice(start, end))
      if (ngram === -1) {
        ngram = this.#first.push({ text: at, start, end }) - 1
        this.#hashes.push(hash)
        this.#items.push([])
        this.#insert(ngram)
      }
      if (seen.has(ngram)) return
      seen.add(ngram)
      this.#items[ngram]!.push(item)
    })
    return seen.size
  }

  /** Everything of the items that is in a document, in its order. */
  in(text: string, words: Words): Found[] {
    const found: Found[] = []
    const mask = this.#bits.length * 32 - 1
    const bits = this.#bits
    this.#forEach(words, (hash, word) => {
      const bit = hash & mask
      if (((bits[bit >>> 5]! >>> (bit & 31)) & 1) === 0) return
      const ngram = this.#find(hash, () => simplified(text.slice(words.starts[word]!, words.ends[word + this.#n - 1]!)))
      if (ngram !== -1) for (const item of this.#items[ngram]!) found.push({ item, ngram, word })
    })
    return found
  }

  #forEach({ hashes, count }: Words, visit: (hash: number, word: number) => void): void {
    const n = this.#n
    const leaving = this.#leaving
    let hash = 0
    for (let i = 0; i < count; i++) {
      hash = (Math.imul(hash, base) + hashes[i]!) | 0
      if (i >= n) hash = (hash - Math.imul(hashes[i - n]!, leaving)) | 0
      if (i >= n - 1) visit(mix32(hash), i - n + 1)
    }
  }

  /** @param words asked for where the hash is known: different n-grams may have the same */
  #find(hash: number, words: () => string): number {
    const mask = this.#slots.length - 1
    let asked: string | undefined
    for (let slot = mix32(hash ^ base) & mask; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const ngram = this.#slots[slot]! - 1
      if (this.#hashes[ngram] !== hash) continue
      asked ??= words()
      const { text, start, end } = this.#first[ngram]!
      if (this.#texts[text]!.slice(start, end) === asked) return ngram
    }
    return -1
  }

  #insert(ngram: number): void {
    if (this.#slots.length < 2 * this.#first.length) {
      this.#slots = new Int32Array(this.#slots.length * 2)
      this.#bits = new Uint32Array((this.#slots.length * bitsPerNgram) / 64)
      for (let other = 0; other <= ngram; other++) this.#put(other)
    } else this.#put(ngram)
  }

  #put(ngram: number): void {
    const hash = this.#hashes[ngram]!
    const bit = hash & (this.#bits.length * 32 - 1)
    this.#bits[bit >>> 5]! |= 1 << (bit & 31)
    const mask = this.#slots.length - 1
    let slot = mix32(hash ^ base) & mask
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
    this.#slots[slot] = ngram + 1
  }
}
