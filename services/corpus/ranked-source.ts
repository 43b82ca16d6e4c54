import type { Group } from '../../topologies/selection/groups.ts'
import type { Sql, SqlParameters } from '../runtime/clickhouse/sql.ts'

/** Where ranked documents come from. */
export interface RankedSource {
  readonly sql: Sql
  /** The rows of some groups, see `rankedRowsSql`. */
  rows(groups: readonly Group[]): string
  readonly parameters: SqlParameters
  /** So many documents are read one by one rather than looked at in another histogram. */
  readonly openMax?: number
}
