import { hash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { promisify } from 'node:util'
import { deflateRaw, inflateRaw } from 'node:zlib'
import avsc from 'avsc'
import { WinnowError } from '../runtime/errors.ts'

/** A record of a topic as an archive keeps it: key and value are the bytes that stood in the topic. */
export interface ArchivedRecord {
  readonly offset: number
  readonly writtenMs: number | null
  readonly key: Buffer | null
  readonly value: Buffer | null
}

const schema = {
  type: 'record',
  name: 'ArchivedRecord',
  namespace: 'winnow.archive',
  fields: [
    { name: 'offset', type: 'long' },
    { name: 'writtenMs', type: ['null', 'long'] },
    { name: 'key', type: ['null', 'bytes'] },
    { name: 'value', type: ['null', 'bytes'] },
  ],
} as const
const type = avsc.Type.forSchema(schema as unknown as avsc.Schema, { wrapUnions: false })
const headType = avsc.Type.forSchema({ type: 'map', values: 'bytes' })
const longType = avsc.Type.forSchema('long')

const magic = Buffer.from('Obj\x01', 'latin1')
const syncBytes = 16
/** Of records before they are compressed; a block is at least one record. */
const blockBytes = 1024 * 1024
/** Longest block that is read: the longest record that a topic of texts may have, and what comes with it. */
const blockBytesMax = 256 * 1024 * 1024
const headBytesMax = 64 * 1024

const deflate = promisify(deflateRaw) as (bytes: Buffer, options: { level: number }) => Promise<Buffer>
const inflate = promisify(inflateRaw) as (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>

/** Writes an Avro object container file (codec deflate) block by block; holds one block. */
export class ContainerWriter {
  readonly #file: FileHandle
  readonly #sync: Buffer
  #records: Buffer[] = []
  #waiting = 0
  /** Written so far. */
  bytes = 0

  private constructor(file: FileHandle, sync: Buffer) {
    this.#file = file
    this.#sync = sync
  }

  /** @param name says what is in it; two containers of equal names and records are equal to the byte */
  static async create(path: string, name: Readonly<Record<string, string>>): Promise<ContainerWriter> {
    const sync = hash('sha256', JSON.stringify(name), 'buffer').subarray(0, syncBytes)
    const writer = new ContainerWriter(await open(path, 'w'), sync)
    const meta = { 'avro.schema': JSON.stringify(schema), 'avro.codec': 'deflate', ...name }
    const head = Object.fromEntries(Object.entries(meta).map(([key, value]) => [key, Buffer.from(value)]))
    await writer.#write([magic, headType.toBuffer(head), sync])
    return writer
  }

  async add(record: ArchivedRecord): Promise<void> {
    const bytes = type.toBuffer(record)
    this.#records.push(bytes)
    this.#waiting += bytes.length
    if (this.#waiting >= blockBytes) await this.flush()
  }

  async flush(): Promise<void> {
    if (this.#records.length === 0) return
    const packed = await deflate(Buffer.concat(this.#records, this.#waiting), { level: 1 })
    await this.#write([longType.toBuffer(this.#records.length), longType.toBuffer(packed.length), packed, this.#sync])
    this.#records = []
    this.#waiting = 0
  }

  /** Everything is on the disk after it. */
  async close(): Promise<void> {
    try {
      await this.flush()
      await this.#file.sync()
    } finally {
      await this.#file.close()
    }
  }

  async #write(parts: readonly Buffer[]): Promise<void> {
    const bytes = Buffer.concat(parts)
    await this.#file.write(bytes)
    this.bytes += bytes.length
  }
}

/** A block of a container: where it begins, and its records. */
export interface Block {
  readonly position: number
  readonly records: readonly ArchivedRecord[]
}

/**
 * The blocks of a container, one at a time.
 * @param from where a block begins, as an earlier reading said; left out: the first
 * @throws WinnowError BAD_DATA, with the name of the file, if it is not such a container or ends within a block
 */
export async function* readContainer(path: string, from?: number): AsyncGenerator<Block> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const head = await readHead(file, path)
    for (let position = from ?? head.end; position < size; ) {
      const start = await bytesAt(file, position, Math.min(20, size - position))
      const count = longAt(start, 0)
      const packed = count && longAt(start, count.end)
      if (packed === undefined || packed.value < 0 || packed.value > blockBytesMax)
        throw damaged(path, position, 'it has no block there')
      const end = position + packed.end + packed.value
      if (end + syncBytes > size) throw damaged(path, position, 'it ends within the block there')
      const block = await bytesAt(file, position + packed.end, packed.value + syncBytes)
      if (!block.subarray(packed.value).equals(head.sync)) throw damaged(path, position, 'the block there has no end')
      yield { position, records: await recordsIn(block.subarray(0, packed.value), count!.value, path, position) }
      position = end + syncBytes
    }
  } finally {
    await file.close()
  }
}

async function readHead(file: FileHandle, path: string): Promise<{ end: number; sync: Buffer }> {
  const bytes = await bytesAt(file, 0, headBytesMax)
  if (!bytes.subarray(0, magic.length).equals(magic)) throw damaged(path, 0, 'it does not begin as an Avro container')
  const { value, offset } = headType.decode(bytes, magic.length) as { value?: Record<string, Buffer>; offset: number }
  const codec = value?.['avro.codec']?.toString()
  if (value === undefined || offset < 0 || codec !== 'deflate' || `${value['avro.schema']}` !== JSON.stringify(schema))
    throw damaged(path, 0, 'its head is not that of an archived partition')
  return { end: offset + syncBytes, sync: Buffer.from(bytes.subarray(offset, offset + syncBytes)) }
}

async function recordsIn(packed: Buffer, count: number, path: string, position: number): Promise<ArchivedRecord[]> {
  let bytes: Buffer
  try {
    bytes = await inflate(packed, { maxOutputLength: blockBytesMax })
  } catch (cause) {
    throw damaged(path, position, 'the block there cannot be unpacked', cause)
  }
  const records: ArchivedRecord[] = []
  let at = 0
  while (at < bytes.length && records.length < count) {
    const { value, offset } = type.decode(bytes, at) as { value?: ArchivedRecord; offset: number }
    if (value === undefined || offset < 0) break
    records.push(value)
    at = offset
  }
  if (records.length !== count || at !== bytes.length)
    throw damaged(path, position, 'the block there has other records')
  return records
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes.subarray(0, filled)
}

function longAt(bytes: Buffer, at: number): { value: number; end: number } | undefined {
  const { value, offset } = longType.decode(bytes, at) as { value?: number; offset: number }
  return value === undefined || offset < 0 ? undefined : { value, end: offset }
}

const damaged = (path: string, position: number, why: string, cause?: unknown): WinnowError =>
  new WinnowError('BAD_DATA', `${path} cannot be read at byte ${position}: ${why}`, {
    cause,
    hint: 'winnow verify names the files of an archive that are not what was exported.',
  })
