import { type TopicOffset, topics } from '../../schemas/index.ts'
import { mayExclude } from '../../topologies/corpus-store.ts'

/**
 * A statement for `value` of the documents that are excluded as of these offsets; undefined: none can be.
 * @param value an expression of doc
 */
export function excludedSql(labelOffsets: readonly TopicOffset[], value = 'doc'): string | undefined {
  if (!mayExclude(labelOffsets)) return undefined
  const limits: number[] = []
  for (const { topic, partition, offsetNext } of labelOffsets)
    if (topic === topics.exclusions.name) limits[partition] = offsetNext
  // Partitions are counted from 0, arrays from 1; beyond its end is 0: what stands in a partition that did not exist excludes nothing.
  const limit = `CAST([${Array.from(limits, (one) => Number(one ?? 0)).join(', ')}], 'Array(UInt64)')[part + 1]`
  return `SELECT ${value} FROM exclusions WHERE at < ${limit} GROUP BY doc, list HAVING argMax(excluded, at) = 1`
}
