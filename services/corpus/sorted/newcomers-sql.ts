import type { SqlParameters } from '../../runtime/clickhouse/sql.ts'
import { columnNames, firstInLog } from '../columns.ts'
import { limitOf, limitsOf, offsetColumns, standsBefore } from '../view-sql.ts'
import { type AsOf, offsetsOf, type State } from './catalog.ts'

/**
 * The documents that came to the wide table since a state. Parts are written in the order of the log, each range of offsets in few of them: the
 * offsets that a block of rows reaches are kept beside it, and blocks that reach none of the new ones are not read. Merges join old and new rows
 * only when new ones have become many, and what has been merged is old then.
 */

/** Keeps the range of a column of offsets of each block of rows that is written from now on; rows of before are read as if they had none. */
export const addRangesSql = (at: string): string =>
  `ALTER TABLE corpus ADD INDEX IF NOT EXISTS came_${at} ${rangedSql(at)} TYPE minmax`

/** NULL is 0, so that the range of a block with rows that have no such label does not reach all offsets. */
const rangedSql = (at: string): string => `assumeNotNull(${at})`

/** True for rows with a record from behind the offsets of `base`, and before those of the new state; of all rows if there is no base. */
export function cameSince(asOf: AsOf, base: State | undefined): { where: string; parameters: SqlParameters } {
  if (base === undefined) return { where: 'true', parameters: {} }
  const limits = limitsOf(asOf, 'limits')
  const before = limitsOf({ columns: asOf.columns, labelOffsets: offsetsOf(base) }, 'before')
  const came = offsetColumns(asOf).map(({ at }, i) => {
    const least = firstNew(before[`before${i}`] as readonly number[], limits[`limits${i}`] as readonly number[])
    if (least === undefined) return undefined
    // The first condition says nothing more, but no block of rows can be left out by the others.
    return `(${rangedSql(at)} >= ${least} AND ${at} >= ${limitOf('before', i)} AND ${at} < ${limitOf('limits', i)})`
  })
  const where = came.filter((one) => one !== undefined).join(' OR ')
  return { where: `(${where === '' ? 'false' : where})`, parameters: { ...limits, ...before } }
}

/** The smallest offset in any partition from which on there are new records; undefined: in none. */
function firstNew(before: readonly number[], limits: readonly number[]): number | undefined {
  const first = limits.flatMap((limit, partition) => (limit > (before[partition] ?? 0) ? [before[partition] ?? 0] : []))
  return first.length === 0 ? undefined : Math.min(...first)
}

/**
 * The documents of a range of ids that came since a state, a row each with all that is known of them, as rows of the wide table merge.
 * @param range a condition on doc
 */
export function newcomersSql(asOf: AsOf, range: string, came: string): string {
  const { columns, scored = [] } = asOf
  const first = (name: string, at: string) => `${firstInLog(`w.${name}`, `w.${at}`)} AS ${name}`
  const known = [
    ...['max(w.part) AS part', 'max(w.tokens) AS tokens'],
    ...offsetColumns(asOf).map(({ at }) => `min(w.${at}) AS ${at}`),
    ...columns.map(columnNames).map(({ label, at }) => first(label, at)),
    ...scored.map((a) => columnNames(columns[a]!)).map(({ score, at }) => first(score, at)),
  ]
  const rows = `corpus AS w WHERE ${range} AND doc IN (SELECT doc FROM corpus WHERE ${range} AND ${came})`
  return `(SELECT doc, ${known.join(', ')} FROM ${rows} GROUP BY doc) WHERE ${standsBefore(asOf, 'limits')} AND NOT (${standsBefore(asOf, 'before')})`
}
