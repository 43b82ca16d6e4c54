/** Slots of a new hash table. */
const slotsFirst = 64

/**
 * A set of document numbers below `documents`: a hash table while it has few members, one bit per document once that is smaller. Never more
 * than documents / 8 bytes, plus a little at first.
 */
export class DocumentSet {
  readonly #documents: number
  #slots = new Uint32Array(slotsFirst)
  #bits: Uint8Array | undefined
  #size = 0

  constructor(documents: number) {
    this.#documents = documents
  }

  /** @returns false if it is already a member */
  add(document: number): boolean {
    if (this.#bits !== undefined) return addBit(this.#bits, document)
    const slot = this.#slot(document)
    if (this.#slots[slot] !== 0) return false
    this.#slots[slot] = document + 1
    this.#size += 1
    if (this.#size * 2 > this.#slots.length) this.#grow()
    return true
  }

  #slot(document: number): number {
    const mask = this.#slots.length - 1
    let slot = (Math.imul(document, 0x9e3779b1) >>> 7) & mask
    while (this.#slots[slot] !== 0 && this.#slots[slot] !== document + 1) slot = (slot + 1) & mask
    return slot
  }

  #grow(): void {
    const members = this.#slots.filter((slot) => slot !== 0)
    if (this.#slots.byteLength * 2 > this.#documents / 8) {
      const bits = new Uint8Array(Math.ceil(this.#documents / 8))
      for (const member of members) addBit(bits, member - 1)
      this.#bits = bits
      this.#slots = new Uint32Array(0)
      return
    }
    this.#slots = new Uint32Array(this.#slots.length * 2)
    for (const member of members) this.#slots[this.#slot(member - 1)] = member
  }
}

function addBit(bits: Uint8Array, document: number): boolean {
  const bit = 1 << (document & 7)
  const byte = bits[document >>> 3]!
  bits[document >>> 3] = byte | bit
  return (byte & bit) === 0
}
