import type { RecordType } from '../../schemas/index.ts'
import { type FlatField, flatFields } from './flat-fields.ts'

interface ReadField extends FlatField {
  /** The last text read and its bytes: names and versions are the same from record to record. */
  lastText: string
  lastBytes: Uint8Array
}

/** Longer texts are not compared with the last one. */
const comparedBytesMax = 64
const int32 = 2 ** 31
/** The largest that avsc reads. */
const longMax = Number.MAX_SAFE_INTEGER - 1

/**
 * Reads records that have only numbers, texts, columns of ids and lists of whole numbers as fields (Avro, "Binary Encoding"), in a fifth of avsc's time: it makes no
 * buffers for 64-bit numbers and no new string for a text that came before.
 */
export class FlatReader {
  readonly #fields: readonly ReadField[]
  readonly #words = new Uint32Array(2)
  readonly #whole = new BigUint64Array(this.#words.buffer)
  #at = 0
  #end = 0

  private constructor(fields: readonly ReadField[]) {
    this.#fields = fields
  }

  /** @returns undefined if the record has other fields */
  static of(record: RecordType): FlatReader | undefined {
    const fields = flatFields(record)
    return fields && new FlatReader(fields.map((field) => ({ ...field, lastText: '', lastBytes: new Uint8Array(0) })))
  }

  /** The record whose body is `bytes` from `from` to before `to`; undefined if it is not such a record, and avsc says why. */
  read(bytes: Buffer, from: number, to = bytes.length): Record<string, unknown> | undefined {
    this.#at = from
    this.#end = to
    const value: Record<string, unknown> = {}
    for (const field of this.#fields) {
      if (field.kind === 'string') {
        const length = this.#number(bytes)
        if (!(length >= 0 && this.#at + length <= to)) return undefined
        value[field.name] = this.#text(bytes, length, field)
      } else if (field.kind === 'double') {
        if (this.#at + 8 > to) return undefined
        value[field.name] = bytes.readDoubleLE(this.#at)
        this.#at += 8
      } else if (field.kind === 'uint64') {
        if (!this.#readWords(bytes)) return undefined
        value[field.name] = this.#whole[0]
      } else if (field.kind === 'uint64s') {
        const column = this.#column(bytes)
        if (column === undefined) return undefined
        value[field.name] = column
      } else if (field.kind === 'longs') {
        const list = this.#list(bytes)
        if (list === undefined) return undefined
        value[field.name] = list
      } else {
        const number = this.#number(bytes)
        if (!Number.isSafeInteger(number)) return undefined
        if (field.kind === 'int' && (number < -int32 || number >= int32)) return undefined
        value[field.name] = number
      }
    }
    return this.#at === to ? value : undefined
  }

  /** An array in one block, as avsc writes it. */
  #column(bytes: Buffer): BigUint64Array | undefined {
    const count = this.#number(bytes)
    if (count === 0) return new BigUint64Array()
    if (!(count > 0 && count <= this.#end - this.#at)) return undefined
    const column = new BigUint64Array(count)
    const words = new Uint32Array(column.buffer)
    for (let at = 0; at < words.length; at += 2) {
      if (!this.#readWords(bytes)) return undefined
      words[at] = this.#words[0]!
      words[at + 1] = this.#words[1]!
    }
    return this.#number(bytes) === 0 ? column : undefined
  }

  /** Likewise. */
  #list(bytes: Buffer): number[] | undefined {
    const count = this.#number(bytes)
    if (count === 0) return []
    if (!(count > 0 && count <= this.#end - this.#at)) return undefined
    const list: number[] = []
    for (let n = 0; n < count; n++) {
      if (!this.#readWords(bytes)) return undefined
      const number = (this.#words[1]! | 0) * 2 ** 32 + this.#words[0]!
      if (Math.abs(number) > longMax) return undefined
      list.push(number)
    }
    return this.#number(bytes) === 0 ? list : undefined
  }

  #text(bytes: Buffer, length: number, field: ReadField): string {
    const from = this.#at
    this.#at += length
    if (length > comparedBytesMax) return bytes.toString('utf8', from, from + length)
    const { lastBytes } = field
    let same = lastBytes.length === length
    for (let i = 0; same && i < length; i++) same = lastBytes[i] === bytes[from + i]
    if (!same) {
      field.lastText = bytes.toString('utf8', from, from + length)
      field.lastBytes = Uint8Array.prototype.slice.call(bytes, from, from + length)
    }
    return field.lastText
  }

  /** A zigzag number; NaN if it does not end, and inexact beyond 2^53, which callers refuse. */
  #number(bytes: Buffer): number {
    if (this.#at >= this.#end) return Number.NaN
    let byte = bytes[this.#at++]!
    let value = byte & 0x7f
    for (let scale = 0x80; byte >= 0x80; scale *= 0x80) {
      if (this.#at >= this.#end) return Number.NaN
      byte = bytes[this.#at++]!
      value += (byte & 0x7f) * scale
    }
    if (value > Number.MAX_SAFE_INTEGER) return Number.NaN
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** A zigzag number of 64 bits into `#words`. */
  #readWords(bytes: Buffer): boolean {
    let low = 0
    let high = 0
    for (let bits = 0; ; bits += 7) {
      if (this.#at >= this.#end || bits > 63) return false
      const byte = bytes[this.#at++]!
      const seven = byte & 0x7f
      // The tenth byte has the last bit.
      if (bits === 63 && seven > 1) return false
      if (bits < 32) low |= seven << bits
      if (bits > 28) high |= bits < 32 ? seven >>> (32 - bits) : seven << (bits - 32)
      else if (bits === 28) high |= seven >>> 4
      if (byte < 0x80) break
    }
    const sign = -(low & 1)
    this.#words[0] = ((low >>> 1) | (high << 31)) ^ sign
    this.#words[1] = (high >>> 1) ^ sign
    return true
  }
}
