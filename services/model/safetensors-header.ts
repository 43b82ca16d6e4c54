import { WinnowError } from '../runtime/errors.ts'

/** One tensor of a safetensors file. */
export interface SafetensorsEntry {
  readonly name: string
  readonly shape: readonly number[]
  readonly encoding: Encoding
}

export interface SafetensorsHeader {
  /** In the order of their data, which is contiguous. */
  readonly entries: readonly SafetensorsEntry[]
  readonly metadata: Record<string, string>
}

/** Supported data types. All convert to float32 without loss. */
export interface Encoding {
  /** Bytes of a value. */
  readonly bytes: number
  /** Decodes all of `bytes`; the result may share its buffer. */
  decode(bytes: Uint8Array<ArrayBuffer>): ArrayLike<number>
}

const encodings: Readonly<Record<string, Encoding>> = {
  F32: { bytes: 4, decode: ({ buffer, byteOffset, length }) => new Float32Array(buffer, byteOffset, length / 4) },
  F16: { bytes: 2, decode: ({ buffer, byteOffset, length }) => new Float16Array(buffer, byteOffset, length / 2) },
  // The upper half of a float32.
  BF16: {
    bytes: 2,
    decode: ({ buffer, byteOffset, length }) => {
      const halves = new Uint16Array(buffer, byteOffset, length / 2)
      return new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer)
    },
  },
}

/** Maximum header size, as in the reference implementation: anything larger is a damaged file. */
const headerBytesMax = 100_000_000

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1)
}

/** The length of the header from the first 8 bytes of a file of `fileBytes`. @throws WinnowError BAD_DATA naming the file. */
export function headerLength(path: string, start: Buffer, fileBytes: number): number {
  if (start.length < 8)
    throw unreadable(path, `it has ${start.length} bytes, less than a header's length: it is truncated`)
  const length = start.readBigUInt64LE(0)
  if (length > headerBytesMax) throw unreadable(path, `its header would have ${length} bytes`)
  if (8 + Number(length) > fileBytes) throw unreadable(path, 'its header ends after the file: it is truncated')
  return Number(length)
}

/**
 * Reads the header of a file that has `dataBytes` after it. The tensors must cover them exactly, so that a truncated or half-written file is
 * never taken for a complete one. @throws WinnowError BAD_DATA naming the file.
 */
export function parseHeader(path: string, text: Buffer, dataBytes: number): SafetensorsHeader {
  const { __metadata__: metadata = {}, ...tensors } = objectOf(path, text)
  const placed = Object.entries(tensors)
    .map(([name, value]) => placedEntry(path, name, value))
    .sort((a, b) => a.first - b.first || a.last - b.last)
  let end = 0
  for (const { name, first, last } of placed) {
    if (last > dataBytes)
      throw unreadable(path, `tensor ${name} ends ${last - dataBytes} bytes after the file: it is truncated`)
    if (first !== end) throw unreadable(path, 'its tensors do not cover its data')
    end = last
  }
  if (end !== dataBytes) throw unreadable(path, 'its tensors do not cover its data')
  return { entries: placed, metadata: metadata as Record<string, string> }
}

function objectOf(path: string, text: Buffer): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(text.toString('utf8'))
    if (typeof header === 'object' && header !== null && !Array.isArray(header))
      return header as Record<string, unknown>
  } catch (cause) {
    throw unreadable(path, 'its header is not JSON', cause)
  }
  throw unreadable(path, 'its header is not a JSON object')
}

function placedEntry(path: string, name: string, value: unknown): SafetensorsEntry & { first: number; last: number } {
  const { dtype, shape, data_offsets: offsets } = value as { dtype?: unknown; shape?: unknown; data_offsets?: unknown }
  const encoding = encodings[String(dtype)]
  if (encoding === undefined)
    throw unreadable(
      path,
      `tensor ${name} is ${String(dtype)}; only ${Object.keys(encodings).join(', ')} are supported`,
    )
  if (!isNaturals(shape) || !isNaturals(offsets) || offsets.length !== 2)
    throw unreadable(path, `tensor ${name} has no valid shape and offsets`)
  const [first, last] = offsets as [number, number]
  const needed = encoding.bytes * sizeOf(shape)
  if (last - first !== needed)
    throw unreadable(path, `tensor ${name} has ${last - first} bytes, its shape [${shape}] needs ${needed}`)
  return { name, shape, encoding, first, last }
}

function isNaturals(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0)
}

export function unreadable(path: string, reason: string, cause?: unknown): WinnowError {
  return new WinnowError('BAD_DATA', `${path} is not a usable safetensors file: ${reason}`, {
    hint: 'Use another checkpoint, or let the trainer write this one again.',
    cause,
  })
}
