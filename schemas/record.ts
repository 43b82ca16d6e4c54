import { z } from 'zod'
import type { Field, FieldValue } from './field.ts'

type Fields = Record<string, Field<unknown>>

/** A record type: TypeScript's type by `RecordValue`, the run-time check, and the registered Avro schema. */
export interface RecordType<F extends Fields = Fields, N extends string = string> {
  readonly name: N
  readonly doc: string
  readonly check: z.ZodType<{ [K in keyof F]: FieldValue<F[K]> }>
  /** The fields of a decoded record that are still to be checked, by name. */
  readonly unsettled: readonly (readonly [string, z.ZodType])[]
  readonly avro: { type: 'record'; name: string; namespace: string; doc: string; fields: unknown[] }
}

export type RecordValue<R> = R extends { check: z.ZodType<infer T> } ? T : never

/** Builds a record type from its fields; the order of the fields is the order on the wire. */
export function record<F extends Fields, const N extends string>(name: N, doc: string, fields: F): RecordType<F, N> {
  const shape = Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, value.check]))
  return {
    name,
    doc,
    check: z.strictObject(shape) as unknown as RecordType<F>['check'],
    unsettled: Object.entries(fields).flatMap(([key, { check, settled }]) => (settled ? [] : [[key, check] as const])),
    avro: {
      type: 'record',
      name,
      namespace: 'winnow',
      doc,
      fields: Object.entries(fields).map(([key, { avro, doc: fieldDoc, default: fallback }]) => ({
        name: key,
        type: avro,
        ...(fieldDoc !== undefined && { doc: fieldDoc }),
        ...(fallback !== undefined && { default: fallback }),
      })),
    },
  }
}

/** A record inside a record. Avro names a type once per schema: `of` may be used in one field only. */
export const nested = <F extends Fields>(of: RecordType<F>): Field<RecordValue<RecordType<F>>> => ({
  check: of.check as z.ZodType<RecordValue<RecordType<F>>>,
  avro: of.avro,
})
