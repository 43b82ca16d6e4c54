import type { RecordType } from '../../schemas/index.ts'
import { type FlatField, flatFields } from './flat-fields.ts'

/** Bytes of the longest varint of 64 bits. */
const varintMax = 10

/** Writes records with columns of ids, from the words of the column, or lists of whole numbers (Avro, "Binary Encoding"): without a bigint or a call per value. The same bytes as avsc. */
export class FlatWriter {
  readonly #fields: readonly FlatField[]
  readonly #words = new Uint32Array(2)
  readonly #whole = new BigUint64Array(this.#words.buffer)

  private constructor(fields: readonly FlatField[]) {
    this.#fields = fields
  }

  /** @returns undefined if the record has no column and no list, or other fields than the flat ones */
  static of(record: RecordType): FlatWriter | undefined {
    const fields = flatFields(record)
    return fields?.some(({ kind }) => kind === 'uint64s' || kind === 'longs') ? new FlatWriter(fields) : undefined
  }

  /** @param value has passed the record's check. @returns `header`, and the body */
  write(value: Readonly<Record<string, unknown>>, header: Uint8Array): Buffer {
    const most = this.#fields.reduce((sum, field) => sum + bytesMax(field, value[field.name]), header.length)
    const bytes = Buffer.allocUnsafe(most)
    bytes.set(header)
    let at = header.length
    for (const { name, kind } of this.#fields) {
      const field = value[name]
      if (kind === 'double') at = bytes.writeDoubleLE(field as number, at)
      else if (kind === 'string') {
        at = this.#long(bytes, at, Buffer.byteLength(field as string))
        at += bytes.write(field as string, at)
      } else if (kind === 'uint64s') at = this.#column(bytes, at, field as BigUint64Array)
      else if (kind === 'longs') at = writeList(bytes, at, field as readonly number[])
      else at = this.#long(bytes, at, field as number | bigint)
    }
    return bytes.subarray(0, at)
  }

  #column(bytes: Buffer, from: number, column: BigUint64Array): number {
    let at = from
    if (column.length > 0) {
      at = this.#long(bytes, at, column.length)
      const words = new Uint32Array(column.buffer, column.byteOffset, column.length * 2)
      for (let i = 0; i < words.length; i += 2) at = writeZigzag(bytes, at, words[i]!, words[i + 1]!)
    }
    return this.#long(bytes, at, 0)
  }

  #long(bytes: Buffer, at: number, value: number | bigint): number {
    if (typeof value === 'number') return writeWhole(bytes, at, value)
    this.#whole[0] = BigInt.asUintN(64, value)
    return writeZigzag(bytes, at, this.#words[0]!, this.#words[1]!)
  }
}

function writeList(bytes: Buffer, from: number, list: readonly number[]): number {
  let at = from
  if (list.length > 0) {
    at = writeWhole(bytes, at, list.length)
    for (const value of list) at = writeWhole(bytes, at, value)
  }
  return writeWhole(bytes, at, 0)
}

/** @param value a safe integer. @returns where it ends */
const writeWhole = (bytes: Buffer, at: number, value: number): number =>
  writeZigzag(bytes, at, value | 0, Math.floor(value / 2 ** 32))

/** 64 bits, as two words, zigzag coded as a varint. @returns where it ends */
function writeZigzag(bytes: Buffer, from: number, lowWord: number, highWord: number): number {
  const sign = highWord >> 31
  let low = ((lowWord << 1) ^ sign) >>> 0
  let high = (((highWord << 1) | (lowWord >>> 31)) ^ sign) >>> 0
  let at = from
  while (high !== 0 || low > 0x7f) {
    bytes[at++] = (low & 0x7f) | 0x80
    low = ((low >>> 7) | (high << 25)) >>> 0
    high >>>= 7
  }
  bytes[at++] = low
  return at
}

function bytesMax({ kind }: FlatField, value: unknown): number {
  if (kind === 'string') return varintMax + Buffer.byteLength(value as string)
  if (kind === 'uint64s' || kind === 'longs') return varintMax * ((value as ArrayLike<unknown>).length + 2)
  return varintMax
}
