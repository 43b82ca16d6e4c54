import avsc, { type Type } from 'avsc'
import type { RecordType } from '../../schemas/index.ts'
import './avro-blocks.ts'
import { columnsOf } from './flat-fields.ts'

const isU64 = (value: unknown): value is bigint =>
  typeof value === 'bigint' && value >= 0n && value <= 0xffff_ffff_ffff_ffffn

/** avsc passes the 8 little-endian bytes of a `long` before zigzag coding; read as unsigned, they are our id. */
const u64 = avsc.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigUInt64LE(),
  toBuffer: (value: bigint) => {
    const buffer = Buffer.allocUnsafe(8)
    buffer.writeBigUInt64LE(value)
    return buffer
  },
  // Strings, because JSON has no 64-bit integers.
  fromJSON: (value: string | number) => BigInt.asUintN(64, BigInt(value)),
  toJSON: (value: bigint) => String(value),
  isValid: isU64,
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
})

/** An Avro type in which a `long` with logicalType `uint64` is a bigint. @throws when `schema` is not an Avro schema */
export const avroType = (schema: unknown): Type =>
  avsc.Type.forSchema(schema as avsc.Schema, {
    // A fresh registry, and unions unwrapped: null or the value.
    registry: {},
    wrapUnions: false,
    omitRecordMethods: true,
    typeHook: (part) => {
      const { type, logicalType } = part as { type?: string; logicalType?: string }
      return type === 'long' && logicalType === 'uint64' ? (u64 as unknown as Type) : undefined
    },
  })

/** A record as avsc takes it: Buffers for bytes, arrays for columns of ids. Top-level fields only: no record nests either. */
export function forAvsc(value: object): object {
  const copy: Record<string, unknown> = { ...value }
  for (const [name, field] of Object.entries(copy)) {
    if (field instanceof BigUint64Array) copy[name] = [...field]
    if (field instanceof Uint8Array && !Buffer.isBuffer(field)) {
      copy[name] = Buffer.from(field.buffer, field.byteOffset, field.byteLength)
    }
  }
  return copy
}

/** A record as avsc has read it, whose columns of ids it gives as arrays. The same object. */
export function withColumns(record: RecordType, value: object): object {
  const fields = value as Record<string, unknown>
  for (const name of columnsOf(record)) fields[name] = BigUint64Array.from(fields[name] as bigint[])
  return value
}

/** Whether the record has bytes fields, so that `forAvsc` is needed. */
export const hasBytes = (record: RecordType): boolean => JSON.stringify(record.avro.fields).includes('"bytes"')
