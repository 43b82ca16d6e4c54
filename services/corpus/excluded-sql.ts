import { type TopicOffset, topics } from '../../schemas/index.ts'
import { mayExclude } from '../../topologies/corpus-store.ts'

/** Where the ranks of a view are (schemas/clickhouse/009_sketches.sql): documents take part whose rank is below `atMost`, or not there. */
export interface RanksOfView {
  readonly attempt: number
  readonly atMost: number
}

/**
 * A statement for `value` of the documents that lists exclude as of these offsets, or that are near duplicates too many; undefined: none can be.
 * @param value an expression of doc
 */
export function excludedSql(
  labelOffsets: readonly TopicOffset[],
  { value = 'doc', ranks }: { value?: string; ranks?: RanksOfView | undefined } = {},
): string | undefined {
  const parts = []
  if (mayExclude(labelOffsets))
    parts.push(
      `SELECT ${value} FROM exclusions WHERE ${isBefore(labelOffsets, topics.exclusions.name)} GROUP BY doc, list HAVING argMax(excluded, at) = 1`,
    )
  if (ranks !== undefined)
    parts.push(`SELECT ${value} FROM duplicate_ranks WHERE attempt = ${ranks.attempt} AND rank >= ${ranks.atMost}`)
  return parts.length === 0 ? undefined : parts.join(' UNION ALL ')
}

/** True for rows, with columns part and at, whose records stand before these offsets of a topic. */
export function isBefore(labelOffsets: readonly TopicOffset[], name: string): string {
  const limits: number[] = []
  for (const { topic, partition, offsetNext } of labelOffsets) if (topic === name) limits[partition] = offsetNext
  // Partitions are counted from 0, arrays from 1; beyond its end is 0: what stands in a partition that did not exist is behind them.
  return `at < CAST([${Array.from(limits, (one) => Number(one ?? 0)).join(', ')}], 'Array(UInt64)')[part + 1]`
}
