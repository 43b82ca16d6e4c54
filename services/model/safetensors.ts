import { createHash } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { WinnowError } from '../runtime/errors.ts'
import { openBytes } from '../runtime/stores/bytes.ts'
import { syncFolder } from '../runtime/write-whole.ts'
import { headerLength, parseHeader, type SafetensorsEntry, sizeOf, unreadable } from './safetensors-header.ts'

export { sizeOf } from './safetensors-header.ts'

/** A float32 array with its shape, row-major. */
export interface FloatTensor {
  shape: readonly number[]
  data: Float32Array
}

export interface SafetensorsFile {
  tensors: Map<string, FloatTensor>
  metadata: Record<string, string>
  /** SHA-256 of the whole file, hexadecimal. */
  digest: string
}

/** The result of reading a file to its end: its digest in any case, and what is wrong with it, if anything. */
export interface ScannedFile extends SafetensorsFile {
  damage?: WinnowError
}

/** Where a tensor's values go; undefined: they are skipped. */
export type Allocate = (entry: SafetensorsEntry) => Float32Array | undefined

/** Bytes read at a time: processing them takes a millisecond or two, so the thread stays responsive. A multiple of any value's size. */
const chunkBytes = 1 << 20

/** @throws WinnowError BAD_DATA naming the file, also if it does not exist; see parseHeader. */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  const { damage, ...file } = await scanSafetensors(path, ({ shape }) => new Float32Array(sizeOf(shape)))
  if (damage !== undefined) throw damage
  return file
}

/**
 * Reads a file once, in small pieces, from a path or from an address in an object store: the tensors that have a destination, and the digest of the
 * whole file. @throws WinnowError BAD_DATA if it cannot be opened or read, UNREACHABLE.
 */
export async function scanSafetensors(path: string, allocate: Allocate): Promise<ScannedFile> {
  const file = await openBytes(path).catch((cause: unknown) => {
    // A store that is away says nothing about the file.
    if (cause instanceof WinnowError && cause.retriable) throw cause
    throw unreadable(path, cause instanceof WinnowError ? cause.message : 'it cannot be opened', cause)
  })
  try {
    return await scan(path, new HashingSource(file.stream(0, file.byteLength)), file.byteLength, allocate)
  } catch (cause) {
    throw cause instanceof WinnowError ? cause : unreadable(path, 'it cannot be read', cause)
  } finally {
    await file.close()
  }
}

async function scan(path: string, source: HashingSource, size: number, allocate: Allocate): Promise<ScannedFile> {
  const tensors = new Map<string, FloatTensor>()
  let metadata: Record<string, string> = {}
  let damage: WinnowError | undefined
  try {
    const length = headerLength(path, await source.read(8), size)
    const header = parseHeader(path, await source.read(length), size - 8 - length)
    metadata = header.metadata
    for (const entry of header.entries) {
      const data = allocate(entry)
      await readValues(path, source, entry, data)
      if (data !== undefined) tensors.set(entry.name, { shape: entry.shape, data })
    }
  } catch (error) {
    if (!(error instanceof WinnowError)) throw error
    damage = error
  }
  return { tensors, metadata, digest: await source.digest(), ...(damage !== undefined && { damage }) }
}

async function readValues(
  path: string,
  source: HashingSource,
  { name, shape, encoding }: SafetensorsEntry,
  target: Float32Array | undefined,
): Promise<void> {
  const count = sizeOf(shape)
  const step = chunkBytes / encoding.bytes
  for (let at = 0; at < count; at += step) {
    const wanted = encoding.bytes * Math.min(step, count - at)
    const bytes = await source.read(wanted)
    if (bytes.length < wanted) throw unreadable(path, `tensor ${name} is cut off: it is truncated`)
    target?.set(encoding.decode(bytes), at)
  }
}

/** A file read from its start, hashed on the way. */
class HashingSource {
  readonly #chunks: AsyncIterator<Buffer>
  readonly #hash = createHash('sha256')
  readonly #chunk = Buffer.allocUnsafeSlow(chunkBytes)
  /** What came and was not asked for yet. */
  #rest: Buffer = Buffer.alloc(0)

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** The next bytes, fewer at the end of the file. Up to one chunk of them is overwritten by the next read. */
  async read(count: number): Promise<Buffer<ArrayBuffer>> {
    const into = count <= chunkBytes ? this.#chunk : Buffer.allocUnsafeSlow(count)
    let filled = 0
    while (filled < count) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next()
        if (next.done) break
        this.#rest = next.value
      }
      const copied = this.#rest.copy(into, filled, 0, count - filled)
      this.#rest = this.#rest.subarray(copied)
      filled += copied
    }
    const bytes = into.subarray(0, filled)
    this.#hash.update(bytes)
    return bytes
  }

  /** SHA-256 of the whole file, including what was not read yet. */
  async digest(): Promise<string> {
    while ((await this.read(chunkBytes)).length > 0);
    return this.#hash.digest('hex')
  }
}

/**
 * Writes tensors in the given order to a temporary file in the same folder, flushes it to disk and renames it: a reader sees the old file or
 * the complete new one.
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

/** 8 bytes of length, then JSON, padded with spaces so that the data is 8-byte aligned. */
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
