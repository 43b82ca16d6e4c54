import { topics } from '../../schemas/index.ts'
import type { ViewOptions } from '../../topologies/corpus-store.ts'
import type { SqlParameters } from '../runtime/clickhouse/sql.ts'
import { columnNames } from './columns.ts'

/** The columns with the offsets of a document's records, each with the topic of those records: its own, and those of its labels. */
export function offsetColumns({ columns }: Pick<ViewOptions, 'columns'>): { at: string; topic: string }[] {
  return [
    { at: 'at_document', topic: topics.documents.name },
    ...columns.map((column) => ({ at: columnNames(column).at, topic: column.topic })),
  ]
}

/**
 * For each offset column, an array parameter `<name><i>` with the offset below which each partition counts. ClickHouse returns 0 beyond the
 * array: nothing from a partition that did not exist takes part.
 */
export function limitsOf(options: Pick<ViewOptions, 'columns' | 'labelOffsets'>, name: string): SqlParameters {
  return Object.fromEntries(
    offsetColumns(options).map(({ topic }, i) => {
      const offsets = options.labelOffsets.filter((offset) => offset.topic === topic)
      const limits = Array.from({ length: Math.max(0, ...offsets.map(({ partition }) => partition + 1)) }, () => 0)
      for (const { partition, offsetNext } of offsets) limits[partition] = offsetNext
      return [`${name}${i}`, limits]
    }),
  )
}

/** The value of parameter `<name><i>` for a row's partition. */
export const limitOf = (name: string, i: number): string => `{${name}${i}:Array(UInt64)}[part + 1]`

/** True for rows whose document and labels are all below the limits. */
export const standsBefore = (options: Pick<ViewOptions, 'columns'>, name: string): string =>
  offsetColumns(options)
    .map(({ at }, i) => `${at} < ${limitOf(name, i)}`)
    .join(' AND ')

/** A row's labels in configuration order, for rows that have them all. */
export const labelsSql = ({ columns }: Pick<ViewOptions, 'columns'>): string =>
  `CAST([${columns.map((column) => `assumeNotNull(${columnNames(column).label})`).join(', ')}], 'Array(UInt16)')`

/** The label scores of some actors, by index, for rows that have all labels. */
export const scoresSql = ({ columns }: Pick<ViewOptions, 'columns'>, actors: readonly number[]): string =>
  `CAST([${actors.map((a) => `assumeNotNull(${columnNames(columns[a]!).score})`).join(', ')}], 'Array(Float64)')`
