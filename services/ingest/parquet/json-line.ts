import { isUtf8 } from 'node:buffer'
import type { ParquetParsers } from 'hyparquet'
import { parseJson, withoutNonFinite } from '../../../schemas/index.ts'
import type { Line, LineLimits } from '../lines.ts'

/** Shorter strings are decoded with their page; longer ones stay views of it until their row is made, so that memory holds them once. */
const shortBytes = 1024

/** A value that is JSON already: it goes into the line unchanged, so numbers keep their digits. */
class JsonColumn {
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  toString(): string {
    const text = ofBytes(this.bytes)
    try {
      if (typeof text !== 'string') return JSON.stringify(text)
      parseJson(text)
      return withoutNonFinite(text)
    } catch {
      return JSON.stringify(text)
    }
  }
}

/** How values are converted to JSON; docs/ingest.md has the table. */
export const parsers: ParquetParsers = {
  timestampFromMilliseconds: (count) => timestamp(count, 1000n, 3),
  timestampFromMicroseconds: (count) => timestamp(count, 1_000_000n, 6),
  timestampFromNanoseconds: (count) => timestamp(count, 1_000_000_000n, 9),
  dateFromDays: (days) =>
    timestamp(BigInt(days) * 86_400n, 1n, 0)
      .toString()
      .split('T')[0],
  stringFromBytes: (bytes) => (bytes.length <= shortBytes ? ofBytes(bytes) : bytes),
  jsonFromBytes: (bytes) => new JsonColumn(bytes),
  geometryFromBytes: (bytes) => bytes,
  geographyFromBytes: (bytes) => bytes,
  uuidFromBytes: (bytes) =>
    asBuffer(bytes)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
}

/** ISO 8601 in UTC with every digit of the unit; the number itself if it is out of the range of dates. */
function timestamp(count: bigint, perSecond: bigint, digits: number): string | bigint {
  const fraction = ((count % perSecond) + perSecond) % perSecond
  const date = new Date(Number((count - fraction) / perSecond) * 1000)
  if (Number.isNaN(date.getTime())) return count
  return date.toISOString().replace('.000Z', digits === 0 ? 'Z' : `.${fraction.toString().padStart(digits, '0')}Z`)
}

const asBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Bytes become text if they can; what is not UTF-8 becomes an object that says so, never a text. */
const ofBytes = (bytes: Uint8Array): string | { base64: string } =>
  isUtf8(bytes) ? asBuffer(bytes).toString('utf8') : { base64: asBuffer(bytes).toString('base64') }

/** The JSON line that a row of Parquet stands for. Of a row that is too long only the beginning of its longest string is kept. */
export function lineOf(row: number, columns: readonly (readonly [string, unknown])[], limits: LineLimits): Line {
  const { lineBytesMax, bytesKept } = limits
  const byteLength = columns.reduce((sum, [name, value]) => sum + name.length + lengthOf(value), 0)
  if (byteLength > lineBytesMax) {
    const longest = longestOf(columns.map(([, value]) => value))
    const bytes = typeof longest === 'string' ? Buffer.from(longest.slice(0, bytesKept)) : asBuffer(longest)
    return { row, bytes: bytes.subarray(0, bytesKept), byteLength, tooLong: true }
  }
  const bytes = Buffer.from(objectText(columns))
  const tooLong = bytes.length > lineBytesMax
  return { row, bytes: tooLong ? bytes.subarray(0, bytesKept) : bytes, byteLength: bytes.length, tooLong }
}

/** A lower bound of about the value's length in JSON, without making it: rows may repeat one long dictionary entry many times. */
function lengthOf(value: unknown): number {
  if (typeof value === 'string' || value instanceof Uint8Array) return value.length
  if (value instanceof JsonColumn) return value.bytes.length
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + 1 + lengthOf(one), 0)
  if (typeof value !== 'object' || value === null) return 1
  return Object.entries(value).reduce((sum, [name, one]) => sum + name.length + lengthOf(one), 0)
}

/** The longest string in a value, the first of several: whatever its column is called, and however deep it lies. */
function longestOf(value: unknown): string | Uint8Array {
  if (typeof value === 'string' || value instanceof Uint8Array) return value
  if (value instanceof JsonColumn) return value.bytes
  if (typeof value !== 'object' || value === null) return ''
  return Object.values(value).reduce((longest: string | Uint8Array, one) => {
    const found = longestOf(one)
    return found.length > longest.length ? found : longest
  }, '')
}

const objectText = (entries: readonly (readonly [string, unknown])[]): string =>
  `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${jsonText(value)}`).join(',')}}`

/** The value as JSON. Not JSON.stringify, which cannot write 64-bit integers. */
function jsonText(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'bigint' || value instanceof JsonColumn) return value.toString()
  if (value instanceof Uint8Array) return JSON.stringify(ofBytes(value))
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`
  return typeof value === 'object' ? objectText(Object.entries(value)) : JSON.stringify(value)
}
