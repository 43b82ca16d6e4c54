import type { Resolver, Type } from 'avsc'
import type { z } from 'zod'
import { type RecordType, type RecordValue, subjectOf } from '../../schemas/index.ts'
import { avroType, forAvsc, hasBytes, withColumns } from './avro.ts'
import { WinnowError } from './errors.ts'
import { FlatReader } from './flat-avro.ts'
import { FlatWriter } from './flat-writer.ts'
import { type RegistryClient, register, registryClient, schemaById } from './registry.ts'

/**
 * Why bytes are not a record: a stable word that dead letters carry. bad-framing: not Confluent's framing; unknown-schema: the schema id is
 * not in the registry, or its schema cannot be read; wrong-record: a record, but not one expected here; bad-body: the bytes do not match their
 * schema; invalid-record: a value is outside its field's range.
 */
export type DecodeReason = 'bad-framing' | 'unknown-schema' | 'wrong-record' | 'bad-body' | 'invalid-record'

/** The bytes are at fault, so trying again does not help. If the registry is away, it is a WinnowError UNREACHABLE instead. */
export class DecodeError extends Error {
  readonly reason: DecodeReason

  constructor(reason: DecodeReason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'DecodeError'
    this.reason = reason
  }
}

/** Decodes, or returns undefined if the bytes are not a valid record. @throws WinnowError UNREACHABLE */
export async function readable<T>(decode: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await decode()
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return undefined
  }
}

/** A record with its type; `record`, the type's name, tells the types apart. */
export type Decoded<R extends RecordType = RecordType> = R extends RecordType
  ? { readonly record: R['name']; readonly value: RecordValue<R> }
  : never

/**
 * Records to bytes and back, in Confluent's framing: a zero byte, the schema's id as 4 bytes big-endian, the Avro body.
 * Schemas are looked up once; with a known schema nothing is awaited, and the registry may be away.
 */
export interface Codec {
  /** @throws WinnowError BAD_DATA for a value that its record type does not allow */
  encode<R extends RecordType>(record: R, value: RecordValue<R>): Buffer
  /**
   * Synchronous if the schema is known.
   *
   * @param from where the record begins in the buffer; default: at its beginning
   * @param to where it ends; default: at its end
   * @throws DecodeError (also as a rejection), WinnowError UNREACHABLE
   */
  decode(buffer: Uint8Array, from?: number, to?: number): Decoded | Promise<Decoded>
  /** As `decode`, where only this record type is expected. */
  decodeAs<R extends RecordType>(record: R, buffer: Uint8Array): RecordValue<R> | Promise<RecordValue<R>>
  /** Whether the bytes after the schema id are exactly such a record, whatever the registry says about the id. */
  isBodyOf(record: RecordType, buffer: Uint8Array): boolean
  /** The text of a schema that records were written by; undefined: the registry does not have the id. @throws WinnowError UNREACHABLE */
  schemaOf(id: number): Promise<string | undefined>
}

export interface CodecOptions {
  readonly registry: string | RegistryClient
  readonly records: readonly RecordType[]
}

/** How one of our record types is encoded. */
interface Own {
  readonly record: RecordType
  readonly type: Type
  readonly header: Buffer
  readonly hasBytes: boolean
  /** Reads bodies in this very schema faster than `type`. */
  readonly flat: FlatReader | undefined
  /** Writes what has columns, which `type` cannot. */
  readonly writer: FlatWriter | undefined
  /** Numbers that each unsettled field may have, as far as they have come: a look-up costs less than a check. */
  readonly known: readonly Set<unknown>[]
}

const knownMax = 256

/** A writer's schema: how to read it as `own`, or why it cannot be read. */
type Reading = { readonly own: Own; readonly resolver: Resolver | undefined } | DecodeError

const headerBytes = 5

/** A record in a larger buffer. */
interface Span {
  readonly bytes: Buffer
  readonly from: number
  readonly to: number
}

const wholeOf = (bytes: Buffer): Span => ({ bytes, from: 0, to: bytes.length })

/** Registers every record's schema. @throws WinnowError SCHEMA_INCOMPATIBLE, UNREACHABLE, CONFIGURATION */
export async function createCodec({ registry, records }: CodecOptions): Promise<Codec> {
  const client = typeof registry === 'string' ? registryClient(registry) : registry
  const owns = new Map<string, Own>()
  const readings = new Map<number, Reading>()
  for (const record of records) {
    const own = {
      record,
      type: avroType(record.avro),
      header: header(await register(client, record)),
      hasBytes: hasBytes(record),
      flat: FlatReader.of(record),
      writer: FlatWriter.of(record),
      known: record.unsettled.map(() => new Set<unknown>()),
    }
    owns.set(subjectOf(record), own)
    readings.set(own.header.readUInt32BE(1), { own, resolver: undefined })
  }

  const lookUp = async (id: number): Promise<Reading> => {
    const schema = await schemaById(client, id)
    const reading =
      schema === undefined ? unknown(id, 'the registry has no schema of that id') : readingOf(schema, id, owns)
    // A missing id may still be replicated from another registry; anything else never changes.
    if (schema !== undefined) readings.set(id, reading)
    return reading
  }

  const decodeWith = <T>(span: Span, finish: (reading: Reading, span: Span) => T): T | Promise<T> => {
    const { bytes, from, to } = span
    if (to - from < headerBytes || bytes[from] !== 0) {
      throw new DecodeError('bad-framing', 'The value does not begin with a zero byte and a schema id.')
    }
    const id = bytes.readUInt32BE(from + 1)
    const reading = readings.get(id)
    return reading === undefined ? lookUp(id).then((found) => finish(found, span)) : finish(reading, span)
  }

  return {
    encode: (record, value) => {
      const own = owns.get(subjectOf(record))
      if (own === undefined) throw new TypeError(`The codec was created without the record ${record.name}`)
      return encode(own, value)
    },
    decode: (buffer, from = 0, to = buffer.length) =>
      decodeWith({ bytes: bufferOf(buffer), from, to }, (reading, span): Decoded => {
        if (reading instanceof DecodeError) throw reading
        return { record: reading.own.record.name, value: readBody(reading, span) }
      }),
    decodeAs: <R extends RecordType>(record: R, buffer: Uint8Array) =>
      decodeWith(wholeOf(bufferOf(buffer)), (reading, span): RecordValue<R> => {
        if (reading instanceof DecodeError) throw reading
        if (reading.own.record.name !== record.name) {
          throw new DecodeError('wrong-record', `It is a ${reading.own.record.name}, not a ${record.name}.`)
        }
        return readBody(reading, span) as RecordValue<R>
      }),
    isBodyOf: (record, buffer) => {
      const own = owns.get(subjectOf(record))
      if (own === undefined || buffer.length < headerBytes || buffer[0] !== 0) return false
      try {
        return isWholeBody(own, bufferOf(buffer))
      } catch {
        return false
      }
    },
    schemaOf: (id) => schemaById(client, id),
  }
}

/** The schema id in the framing of a value; undefined: it is not framed so. */
export const schemaIdOf = (value: Buffer): number | undefined =>
  value.length >= headerBytes && value[0] === 0 ? value.readUInt32BE(1) : undefined

function isWholeBody(own: Own, bytes: Buffer): boolean {
  readBody({ own, resolver: undefined }, wholeOf(bytes))
  const body = bytes.subarray(headerBytes)
  return own.type.toBuffer(own.type.fromBuffer(body)).equals(body)
}

const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function header(id: number): Buffer {
  const bytes = Buffer.alloc(headerBytes)
  bytes.writeUInt32BE(id, 1)
  return bytes
}

function encode({ record, type, header, hasBytes, writer }: Own, value: unknown): Buffer {
  const checked = record.check.safeParse(value)
  if (!checked.success) {
    throw new WinnowError('BAD_DATA', `Not a valid ${record.name}: ${issues(checked.error)}`, { cause: checked.error })
  }
  if (writer !== undefined) return writer.write(checked.data, header)
  const body = type.toBuffer(hasBytes ? forAvsc(checked.data) : checked.data)
  return Buffer.concat([header, body], headerBytes + body.length)
}

const unknown = (id: number, why: string, cause?: unknown) =>
  new DecodeError('unknown-schema', `Schema ${id} cannot be read: ${why}.`, { cause })

function readingOf(schema: string, id: number, owns: ReadonlyMap<string, Own>): Reading {
  let type: Type
  try {
    type = avroType(JSON.parse(schema))
  } catch (error) {
    return unknown(id, 'it is not an Avro schema', error)
  }
  const own = owns.get(type.name ?? '')
  if (own === undefined)
    return new DecodeError(
      'wrong-record',
      `Schema ${id} is of ${type.name ?? type.typeName}, which is not expected here.`,
    )
  try {
    return { own, resolver: own.type.createResolver(type) }
  } catch (error) {
    return unknown(id, `this version of ${own.record.name} is not compatible with ours`, error)
  }
}

/** @param span the framing and the body */
function readBody({ own, resolver }: Exclude<Reading, DecodeError>, { bytes, from, to }: Span): never {
  let value: unknown = resolver === undefined ? own.flat?.read(bytes, from + headerBytes, to) : undefined
  try {
    value ??= withColumns(own.record, own.type.fromBuffer(bytes.subarray(from + headerBytes, to), resolver))
  } catch (error) {
    throw new DecodeError('bad-body', `The bytes are not a ${own.record.name}: ${(error as Error).message}`, {
      cause: error,
    })
  }
  const fields = value as Record<string, unknown>
  if (own.record.unsettled.every(([name, check], i) => settles(check, fields[name], own.known[i]!)))
    return value as never
  const checked = own.record.check.safeParse(value)
  if (!checked.success) {
    throw new DecodeError('invalid-record', `Not a valid ${own.record.name}: ${issues(checked.error)}`, {
      cause: checked.error,
    })
  }
  return checked.data as never
}

function settles(check: z.ZodType, value: unknown, known: Set<unknown>): boolean {
  if (known.has(value)) return true
  if (!check.safeParse(value).success) return false
  if (typeof value === 'number' && known.size < knownMax) known.add(value)
  return true
}

const issues = (error: z.ZodError): string =>
  error.issues.map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message)).join('; ')
