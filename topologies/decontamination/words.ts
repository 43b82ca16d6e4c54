import { fnvOffset, fnvPrime, mix32 } from '../hash.ts'

/**
 * Words as decontamination compares them: lower case, without punctuation, accents and marks that cannot be seen, whatever Unicode form they have.
 * Letters of scripts that put no spaces between words are words of their own.
 */

const kinds = { separator: 0, letter: 1, alone: 2, ignored: 3 } as const

/** Scripts that put no spaces between words, and halves of surrogate pairs, which are mostly letters of such scripts. */
const alone =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Cs}]/u
const ofWord = /[\p{L}\p{N}\p{M}]/u
const accents = /[\u0300-\u036f\u064b-\u0652\u0670]/g
const unseen = /^(?:\p{Cf}|[\u0300-\u036f]|[\u064b-\u0652\u0670])$/u

/** Of each UTF-16 unit: its kind, and in the low 16 bits what it counts as. Made by the first that reads words: most commands read none. */
let unitTable = new Uint32Array(0)
const makeUnitTable = () =>
  Uint32Array.from({ length: 65_536 }, (_, unit) => {
    const character = String.fromCharCode(unit)
    if (unseen.test(character)) return kinds.ignored << 16
    const simple = character.toLowerCase().normalize('NFKD').replace(accents, '')
    const as = simple.length === 1 ? simple : character
    const kind = alone.test(as) ? kinds.alone : ofWord.test(as) ? kinds.letter : kinds.separator
    return (kind << 16) | as.charCodeAt(0)
  })

/** The words of a text in columns, which the next text that is read takes over. */
export class Words {
  count = 0
  starts = new Uint32Array(1024)
  /** After the last unit. */
  ends = new Uint32Array(1024)
  hashes = new Int32Array(1024)

  constructor() {
    if (unitTable.length === 0) unitTable = makeUnitTable()
  }

  /** @param text its offsets are those of `starts` and `ends`, in UTF-16 units */
  read(text: string): this {
    const table = unitTable
    this.count = 0
    let start = -1
    let end = 0
    let hash = fnvOffset
    for (let i = 0; i < text.length; i++) {
      const unit = table[text.charCodeAt(i)]!
      const kind = unit >>> 16
      // Most units are letters within a word.
      if (kind === kinds.letter) {
        if (start === -1) {
          start = i
          hash = fnvOffset
        }
        hash = Math.imul(hash ^ (unit & 0xffff), fnvPrime)
        end = i + 1
        continue
      }
      if (kind === kinds.ignored) continue
      if (start !== -1) this.#add(start, end, hash)
      start = -1
      if (kind === kinds.alone) this.#add(i, i + 1, Math.imul(fnvOffset ^ (unit & 0xffff), fnvPrime))
    }
    if (start !== -1) this.#add(start, end, hash)
    return this
  }

  #add(start: number, end: number, hash: number): void {
    if (this.count === this.starts.length) {
      this.starts = new Uint32Array(this.starts.buffer.transfer(this.starts.byteLength * 2))
      this.ends = new Uint32Array(this.ends.buffer.transfer(this.ends.byteLength * 2))
      this.hashes = new Int32Array(this.hashes.buffer.transfer(this.hashes.byteLength * 2))
    }
    this.starts[this.count] = start
    this.ends[this.count] = end
    this.hashes[this.count++] = mix32(hash)
  }
}

/** The words of a text with single spaces: equal for what decontamination holds to be equal. */
export function simplified(text: string): string {
  const words = new Words().read(text)
  const simple: string[] = []
  for (let word = 0; word < words.count; word++) {
    let letters = ''
    for (let i = words.starts[word]!; i < words.ends[word]!; i++) {
      const unit = unitTable[text.charCodeAt(i)]!
      if (unit >>> 16 !== kinds.ignored) letters += String.fromCharCode(unit & 0xffff)
    }
    simple.push(letters)
  }
  return simple.join(' ')
}
