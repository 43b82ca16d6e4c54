import type { Group } from '../../../topologies/selection/groups.ts'
import { placeSql } from '../key-sql.ts'

/** How often a run has read a document, by its place. Joined from the left, a document without a row was read 0 times. */
export const readsByDocumentSql = `SELECT ${placeSql('doc', 'r')} AS placeRead, sum(times) AS reads FROM reads FINAL WHERE run = {run:String} GROUP BY doc`

/** A condition on labels, and on reads if they have a column; without one, only what was not read is there. */
export function isAmong(groups: readonly Group[], withReads = false): string {
  const asked = groups.filter(({ reads }) => withReads || reads === 0)
  if (asked.length === 0) return 'false'
  const names = [...asked[0]!.labels.map((_, i) => `l${i}`), ...(withReads ? ['reads'] : [])]
  const tuples = asked.map(
    ({ labels, reads }) => `(${[...labels, ...(withReads ? [reads] : [])].map(Number).join(', ')})`,
  )
  return `(${names.join(', ')}) IN (${tuples.join(', ')})`
}
