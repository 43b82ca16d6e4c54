/** A document as scanned from a line. */
export interface ScannedDocument {
  /** The id as uint32 words. */
  low: number
  high: number
  tokens: number
  /** By actor in configuration order. */
  labels: Int32Array
}

const tab = 0x09
const carriageReturn = 0x0d
const space = 0x20
const quote = 0x22
const comma = 0x2c
const zero = 0x30
const nine = 0x39
const colon = 0x3a
const braceOpen = 0x7b
const braceClose = 0x7d

const docId = Buffer.from('docId')
const tokens = Buffer.from('tokens')
const labels = Buffer.from('labels')

/** Maximum digits of an integer that a double holds exactly. */
const integerDigitsMax = 15

/**
 * Parses the usual label line, `{"docId": "1", "tokens": 2, "labels": {"a": 0}}` with its keys in any order and each once, straight from the
 * bytes: several times as fast as JSON.parse, which matters for ten million lines. It accepts only lines beyond doubt; anything else (other
 * keys, escapes, exponents, errors) is left to the careful parser.
 */
export class LabelScanner {
  readonly document: ScannedDocument
  readonly #names: Buffer[]
  readonly #sizes: readonly number[]
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0
  #end = 0

  constructor(names: readonly string[], sizes: readonly number[]) {
    this.#names = names.map((name) => Buffer.from(name, 'utf8'))
    this.#sizes = sizes
    this.document = { low: 0, high: 0, tokens: 0, labels: new Int32Array(names.length) }
  }

  /** @returns whether the line was understood and is valid; `document` then holds it */
  scan(bytes: Buffer, start: number, end: number): boolean {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
    let seen = 0
    if (!this.#take(braceOpen)) return false
    for (;;) {
      const key = this.#key()
      if (key === 'docId' && (seen & 1) === 0 && this.#id()) seen |= 1
      else if (key === 'tokens' && (seen & 2) === 0 && this.#tokens()) seen |= 2
      else if (key === 'labels' && (seen & 4) === 0 && this.#labels()) seen |= 4
      else return false
      if (this.#take(comma)) continue
      return this.#take(braceClose) && seen === 7 && this.#onlySpaceLeft()
    }
  }

  #skipSpace(): void {
    while (this.#at < this.#end) {
      const character = this.#bytes[this.#at]
      if (character !== space && character !== tab && character !== carriageReturn) return
      this.#at += 1
    }
  }

  /** Skips spaces and one character. */
  #take(character: number): boolean {
    this.#skipSpace()
    if (this.#at >= this.#end || this.#bytes[this.#at] !== character) return false
    this.#at += 1
    return true
  }

  #onlySpaceLeft(): boolean {
    this.#skipSpace()
    return this.#at === this.#end
  }

  #key(): 'docId' | 'tokens' | 'labels' | null {
    if (!this.#take(quote)) return null
    const key = this.#startsWith(docId)
      ? 'docId'
      : this.#startsWith(tokens)
        ? 'tokens'
        : this.#startsWith(labels)
          ? 'labels'
          : null
    if (key === null) return null
    this.#at += key.length + 1
    return this.#take(colon) ? key : null
  }

  /** Whether the text here is `name` followed by a quote. */
  #startsWith(name: Buffer): boolean {
    const bytes = this.#bytes
    const at = this.#at
    if (at + name.length >= this.#end || bytes[at + name.length] !== quote) return false
    for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name[i]) return false
    return true
  }

  #id(): boolean {
    if (!this.#take(quote)) return false
    const first = this.#at
    // The id as head * 10^7 + tail, in doubles that stay exact, then in words.
    let digits = 0
    while (this.#digitAt(first + digits)) digits += 1
    if (digits === 0 || digits > 20 || (digits > 1 && this.#bytes[first] === zero)) return false
    const headDigits = Math.max(0, digits - 7)
    const head = this.#number(first, headDigits)
    const tail = this.#number(first + headDigits, digits - headDigits)
    const scale = digits > 7 ? 1e7 : 1
    // head < 10^13, and 10^7 < 2^24: its lower 24 bits and the rest give exact products.
    const headLow = head % 16777216
    const headHigh = (head - headLow) / 16777216
    const lowProduct = headLow * scale + tail
    const highProduct = headHigh * scale
    const low = (highProduct % 256) * 16777216 + (lowProduct % 4294967296)
    const carry = Math.floor(lowProduct / 4294967296) + (low >= 4294967296 ? 1 : 0)
    const high = Math.floor(highProduct / 256) + carry
    if (high >= 4294967296) return false
    this.document.low = low >>> 0
    this.document.high = high
    this.#at = first + digits
    return this.#take(quote)
  }

  #tokens(): boolean {
    this.document.tokens = this.#integer()
    return this.document.tokens >= 0
  }

  #labels(): boolean {
    const { labels } = this.document
    labels.fill(-1)
    if (!this.#take(braceOpen)) return false
    // Labels are usually in configuration order, so the search starts with the next actor.
    let next = 0
    do {
      if (!this.#take(quote)) return false
      const actor = this.#actor(next)
      if (actor === -1 || labels[actor] !== -1) return false
      this.#at += this.#names[actor]!.length + 1
      if (!this.#take(colon)) return false
      const label = this.#integer()
      if (label < 0 || label >= this.#sizes[actor]!) return false
      labels[actor] = label
      next = actor + 1
    } while (this.#take(comma))
    return this.#take(braceClose) && !labels.includes(-1)
  }

  /** The actor with the name found here, searched from `first` on; -1 if there is none. */
  #actor(first: number): number {
    for (let i = 0; i < this.#names.length; i++) {
      const actor = (first + i) % this.#names.length
      if (this.#startsWith(this.#names[actor]!)) return actor
    }
    return -1
  }

  /** A plain integer of 0 or more; -1 for anything else. */
  #integer(): number {
    this.#skipSpace()
    const first = this.#at
    let digits = 0
    while (this.#digitAt(first + digits)) digits += 1
    if (digits === 0 || digits > integerDigitsMax || (digits > 1 && this.#bytes[first] === zero)) return -1
    this.#at = first + digits
    return this.#number(first, digits)
  }

  #digitAt(at: number): boolean {
    const character = at < this.#end ? this.#bytes[at]! : 0
    return character >= zero && character <= nine
  }

  #number(first: number, digits: number): number {
    let value = 0
    for (let i = first; i < first + digits; i++) value = value * 10 + this.#bytes[i]! - zero
    return value
  }
}
