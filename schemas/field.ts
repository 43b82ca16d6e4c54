import { z } from 'zod'
import type { DocumentId, Offset, Partition } from './brands.ts'

/**
 * A field type of a record, stated once: its TypeScript type and run-time check (`check`), and its wire format (`avro`).
 * Avro has no unsigned 64-bit integer: `u64` travels as a `long` holding the same 64 bits (two's complement), marked by
 * `logicalType: uint64`, which readers that do not know it ignore (Python: `value % 2**64`; ClickHouse: `reinterpretAsUInt64`).
 */
export interface Field<T> {
  readonly check: z.ZodType<T>
  readonly avro: unknown
  /** The value that readers assume if the writer's schema lacks the field; makes adding it a compatible change. */
  readonly default?: unknown
  readonly doc?: string
  /** Whatever Avro reads as this type passes the check as well: what was decoded needs no second one. */
  readonly settled?: boolean
}

export type FieldValue<F> = F extends Field<infer T> ? T : never

const field = <T>(check: z.ZodType<T>, avro: unknown): Field<T> => ({ check, avro })
const settled = <T>(check: z.ZodType<T>, avro: unknown): Field<T> => ({ check, avro, settled: true })

const u64Max = 2n ** 64n - 1n

export const string = settled(z.string(), 'string')
export const boolean = settled(z.boolean(), 'boolean')
export const int = field(z.int32(), 'int')
/** An integer that JavaScript holds exactly (offsets, counts, milliseconds); never a document id. */
export const long = settled(z.int(), 'long')
/** Where a record stands in its partition. */
export const offset: Field<Offset> = { ...long, check: long.check as unknown as z.ZodType<Offset> }
/** The number of a partition. */
export const partition: Field<Partition> = { ...int, check: int.check as unknown as z.ZodType<Partition> }
/** An unsigned 64-bit id, a bigint in TypeScript. */
export const u64 = settled(z.bigint().min(0n).max(u64Max), { type: 'long', logicalType: 'uint64' })
/** A `u64` that is the id of a document. */
export const documentId: Field<DocumentId> = { ...u64, check: u64.check as unknown as z.ZodType<DocumentId> }
/** Ids in a column: as many as a selection has, a bigint each would take most of the time. */
export const documentIds: Field<BigUint64Array> = settled(z.instanceof(BigUint64Array) as z.ZodType<BigUint64Array>, {
  type: 'array',
  items: u64.avro,
})
/** Any float64, including NaN and infinities: the station decides what is acceptable, and sends the rest to dead letters. */
export const double = settled(
  z.union([z.number(), z.nan(), z.literal(Infinity), z.literal(-Infinity)]) as z.ZodType<number>,
  'double',
)
export const bytes = settled(z.instanceof(Uint8Array) as z.ZodType<Uint8Array>, 'bytes')

export const array = <T>(of: Field<T>): Field<T[]> => ({
  ...field(z.array(of.check), { type: 'array', items: of.avro }),
  ...(of.settled && { settled: true }),
})

export const nullable = <T>(of: Field<T>): Field<T | null> => ({
  ...field(z.nullable(of.check), ['null', of.avro]),
  ...(of.settled && { settled: true }),
  default: null,
})

/** One of a few words, as an Avro string: unlike with an Avro enum, adding a word is a compatible change. */
export const word = <const W extends readonly [string, ...string[]]>(words: W): Field<W[number]> =>
  field(z.enum(words) as z.ZodType<W[number]>, 'string')

export const documented = <T>(of: Field<T>, doc: string): Field<T> => ({ ...of, doc })
