import { asDocumentId, type DocumentId } from '../../schemas/index.ts'
import { mix32 } from '../hash.ts'
import { wordsOf } from './mix.ts'

/** A slot holds an id's number plus one; 0 is free. At most half full, so that a lookup touches one or two slots. */
const slotsFirst = 1024

/**
 * A growing column of distinct 64-bit ids with their positions: an open-addressing hash table outside the JavaScript heap, 8 bytes per id plus
 * 8 to 16 for its slots. Up to 2^30 ids.
 */
export class IdIndex {
  #column = new BigUint64Array(slotsFirst / 2)
  #words = wordsOf(this.#column)
  #slots = new Uint32Array(slotsFirst)
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The ids in order of addition; a view, valid until the next addition. */
  get ids(): BigUint64Array {
    return this.#column.subarray(0, this.#size)
  }

  idAt(number: number): DocumentId {
    return asDocumentId(this.#column[number]!)
  }

  /** The number of an id given as uint32 words, -1 if it is unknown. */
  find(low: number, high: number): number {
    return this.#slots[this.#slot(low, high)]! - 1
  }

  /** Adds an id and returns its number; if it is known, changes nothing and returns -1. */
  add(low: number, high: number): number {
    const slot = this.#slot(low, high)
    if (this.#slots[slot] !== 0) return -1
    if (this.#size === this.#column.length) {
      this.#grow()
      return this.add(low, high)
    }
    const number = this.#size++
    this.#words[number * 2] = low
    this.#words[number * 2 + 1] = high
    this.#slots[slot] = number + 1
    return number
  }

  /** The slot that holds the id, or the free one for it. */
  #slot(low: number, high: number): number {
    const mask = this.#slots.length - 1
    let slot = mix32(low ^ Math.imul(high, 0x9e3779b1)) & mask
    for (;;) {
      const number = this.#slots[slot]! - 1
      if (number === -1 || (this.#words[number * 2] === low && this.#words[number * 2 + 1] === high)) return slot
      slot = (slot + 1) & mask
    }
  }

  #grow(): void {
    this.#column = new BigUint64Array(this.#column.buffer.transfer(this.#column.byteLength * 2))
    this.#words = wordsOf(this.#column)
    this.#slots = new Uint32Array(this.#slots.length * 2)
    for (let number = 0; number < this.#size; number++) {
      this.#slots[this.#slot(this.#words[number * 2]!, this.#words[number * 2 + 1]!)] = number + 1
    }
  }
}
