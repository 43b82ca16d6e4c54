import { createHash } from 'node:crypto'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { WinnowError } from '../runtime/errors.ts'

/** A float32 array with its shape, row-major. */
export interface FloatTensor {
  shape: readonly number[]
  data: Float32Array
}

export interface SafetensorsContent {
  tensors: Map<string, FloatTensor>
  metadata: Record<string, string>
}

export interface SafetensorsFile extends SafetensorsContent {
  /** SHA-256 of the whole file, hexadecimal. */
  digest: string
}

/** Bytes of the header, as in the reference implementation: a larger one is no header but a damaged file. */
const headerBytesMax = 100_000_000

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1)
}

/** @throws WinnowError BAD_DATA naming the file, also where it does not exist; see parseSafetensors. */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw unreadable(path, 'it cannot be opened', cause)
  })
  return { ...parseSafetensors(path, bytes), digest: createHash('sha256').update(bytes).digest('hex') }
}

/**
 * The tensors of a safetensors file, F32, or F16 or BF16, which become F32 without a loss. They must cover the file's data exactly, so that
 * a truncated or half-written file is never taken for a checkpoint.
 * @throws WinnowError BAD_DATA naming the file.
 */
export function parseSafetensors(path: string, bytes: Buffer): SafetensorsContent {
  const { header, dataStart } = parseHeader(path, bytes)
  const metadata = (header.__metadata__ ?? {}) as Record<string, string>
  const tensors = new Map<string, FloatTensor>()
  let end = 0
  const entries = Object.entries(header).filter(([name]) => name !== '__metadata__')
  for (const [name, value] of entries) {
    const { shape, first, last, decode } = parseEntry(path, name, value)
    if (dataStart + last > bytes.length)
      throw unreadable(
        path,
        `tensor ${name} ends ${dataStart + last - bytes.length} bytes after the file: it is truncated`,
      )
    end += last - first
    tensors.set(name, { shape, data: decode(bytes.subarray(dataStart + first, dataStart + last)) })
  }
  if (dataStart + end !== bytes.length) throw unreadable(path, 'its tensors do not cover its data')
  return { tensors, metadata }
}

interface Encoding {
  readonly bytes: number
  decode(bytes: Buffer): Float32Array
}

const encodings: Readonly<Record<string, Encoding>> = {
  // A copy, because a Float32Array must start at a multiple of 4 in its buffer.
  F32: { bytes: 4, decode: (bytes) => new Float32Array(Uint8Array.from(bytes).buffer) },
  F16: { bytes: 2, decode: (bytes) => Float32Array.from(new Float16Array(Uint8Array.from(bytes).buffer)) },
  // The upper half of a float32.
  BF16: {
    bytes: 2,
    decode: (bytes) => {
      const halves = new Uint16Array(Uint8Array.from(bytes).buffer)
      return new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer)
    },
  },
}

/**
 * Writes tensors in the given order under a temporary name in the same folder, flushes them to the disk and renames: a reader
 * sees the old file or the whole new one.
 * @returns SHA-256 of the file.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<readonly [string, FloatTensor]>,
  metadata: Record<string, string> = {},
): Promise<{ digest: string; bytes: number }> {
  const entries = [...tensors]
  const header = encodeHeader(entries, metadata)
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`)
  const hash = createHash('sha256')
  let written = 0
  const file = await open(temporary, 'w')
  try {
    const chunks = [
      header,
      ...entries.map(([, { data }]) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
    ]
    for (const chunk of chunks) {
      hash.update(chunk)
      await file.writeFile(chunk)
      written += chunk.byteLength
    }
    await file.sync()
    await file.close()
    await rename(temporary, path)
  } catch (error) {
    await file.close().catch(() => undefined)
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(dirname(path))
  return { digest: hash.digest('hex'), bytes: written }
}

/** Makes the rename itself survive a power cut. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** 8 bytes of length, then JSON, padded with spaces so that the data starts at a multiple of 8. */
function encodeHeader(entries: readonly (readonly [string, FloatTensor])[], metadata: Record<string, string>): Buffer {
  const header: Record<string, unknown> = { __metadata__: metadata }
  let at = 0
  for (const [name, { shape, data }] of entries) {
    if (sizeOf(shape) !== data.length) throw new RangeError(`${name}: ${data.length} values do not fit [${shape}]`)
    header[name] = { dtype: 'F32', shape, data_offsets: [at, at + data.byteLength] }
    at += data.byteLength
  }
  const text = Buffer.from(JSON.stringify(header))
  const result = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, ' ')
  result.writeBigUInt64LE(BigInt(result.length - 8), 0)
  text.copy(result, 8)
  return result
}

function parseHeader(path: string, bytes: Buffer): { header: Record<string, unknown>; dataStart: number } {
  if (bytes.length < 8)
    throw unreadable(path, `it has ${bytes.length} bytes, less than a header's length: it is truncated`)
  const length = bytes.readBigUInt64LE(0)
  if (length > headerBytesMax) throw unreadable(path, `its header would have ${length} bytes`)
  const dataStart = 8 + Number(length)
  if (dataStart > bytes.length) throw unreadable(path, 'its header ends after the file: it is truncated')
  try {
    const header: unknown = JSON.parse(bytes.toString('utf8', 8, dataStart))
    if (typeof header === 'object' && header !== null && !Array.isArray(header))
      return { header: header as Record<string, unknown>, dataStart }
  } catch (cause) {
    throw unreadable(path, 'its header is not JSON', cause)
  }
  throw unreadable(path, 'its header is not a JSON object')
}

function parseEntry(
  path: string,
  name: string,
  value: unknown,
): { shape: number[]; first: number; last: number; decode: Encoding['decode'] } {
  const { dtype, shape, data_offsets: offsets } = value as { dtype?: unknown; shape?: unknown; data_offsets?: unknown }
  const encoding = encodings[String(dtype)]
  if (encoding === undefined)
    throw unreadable(path, `tensor ${name} is ${String(dtype)}; only ${Object.keys(encodings).join(', ')} are read`)
  if (!isNaturals(shape) || !isNaturals(offsets) || offsets.length !== 2)
    throw unreadable(path, `tensor ${name} has no valid shape and offsets`)
  const [first, last] = offsets as [number, number]
  const needed = encoding.bytes * sizeOf(shape)
  if (last - first !== needed)
    throw unreadable(path, `tensor ${name} has ${last - first} bytes, its shape [${shape}] needs ${needed}`)
  return { shape, first, last, decode: encoding.decode }
}

function isNaturals(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0)
}

function unreadable(path: string, reason: string, cause?: unknown): WinnowError {
  return new WinnowError('BAD_DATA', `${path} is not a usable safetensors file: ${reason}`, {
    hint: 'Use another checkpoint, or let the trainer write this one again.',
    cause,
  })
}
