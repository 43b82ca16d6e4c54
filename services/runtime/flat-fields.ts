import type { RecordType } from '../../schemas/index.ts'

/** How a field is encoded: 64 bits that a bigint holds, a whole number, a double, text, a column of 64-bit ids, or a list of whole numbers. */
export type FlatKind = 'uint64' | 'int' | 'long' | 'double' | 'string' | 'uint64s' | 'longs'

export interface FlatField {
  readonly name: string
  readonly kind: FlatKind
}

/** The fields of a record that has only such ones; undefined if it has others. */
export function flatFields({ avro }: RecordType): FlatField[] | undefined {
  const fields: FlatField[] = []
  for (const { name, type } of avro.fields as readonly { name: string; type: unknown }[]) {
    const kind = kindOf(type)
    if (kind === undefined) return undefined
    fields.push({ name, kind })
  }
  return fields
}

/** Fields whose values are columns: avsc knows them as arrays of bigint. */
export const columnsOf = (record: RecordType): string[] =>
  (record.avro.fields as readonly { name: string; type: unknown }[]).flatMap(({ name, type }) =>
    kindOf(type) === 'uint64s' ? [name] : [],
  )

function kindOf(type: unknown): FlatKind | undefined {
  if (type === 'int' || type === 'long' || type === 'double' || type === 'string') return type
  const { type: inner, logicalType, items } = type as { type?: unknown; logicalType?: unknown; items?: unknown }
  if (inner === 'array') return items === 'long' ? 'longs' : kindOf(items) === 'uint64' ? 'uint64s' : undefined
  return inner === 'long' && logicalType === 'uint64' ? 'uint64' : undefined
}
