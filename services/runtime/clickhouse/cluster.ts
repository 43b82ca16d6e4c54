import { WinnowError } from '../errors.ts'
import { quoted } from './quoted.ts'

/** A cluster of a ClickHouse server's configuration (`system.clusters`), and how winnow's tables are spread over its shards. */
export interface Cluster {
  readonly name: string
  /**
   * The expression by which rows of a table go to shards. Rows that merge, or are joined, must go to the same one.
   * @param columns of the table
   * @param sortingKey the expressions of its ORDER BY
   */
  readonly shardKey: (columns: readonly string[], sortingKey: readonly string[]) => string
}

/**
 * Settings of every request. A statement reads all shards or fails, an insert is on all shards before it is acknowledged, and joins run within
 * shards, since tables with documents are sharded alike.
 */
export const clusterSettings = {
  distributed_foreground_insert: 1,
  distributed_product_mode: 'local',
  parallel_distributed_insert_select: '2',
  skip_unavailable_shards: 0,
  // One replica of each shard is written and read by all, the next one only while it is away.
  load_balancing: 'in_order',
  prefer_localhost_replica: 0,
  max_replica_delay_for_distributed_queries: '10',
  fallback_to_stale_replicas_for_distributed_queries: 0,
  // Replicated tables drop an insert whose rows equal those of an earlier one, also after these were deleted.
  insert_deduplicate: 0,
  // Replicas that are away execute it when they return. The client's types do not know this mode yet.
  distributed_ddl_output_mode: 'throw_only_active' as 'throw',
} as const

/** The table that holds a shard's rows of `table`. */
export const localTable = (table: string): string => `${table}_local`

const name = '(\\w+)'
const creation = new RegExp(
  `^CREATE TABLE IF NOT EXISTS ${name}\\s*\\(([^]*)\\)\\s*ENGINE = (\\w*MergeTree)(\\([^)]*\\))?\\s+ORDER BY (\\([^)]*\\)|\\w+)([^]*)$`,
)
const kept = new RegExp(`^CREATE MATERIALIZED VIEW IF NOT EXISTS ${name} TO ${name} AS\\s+([^]*)$`)
const alteration = new RegExp(`^ALTER TABLE ${name}\\s([^]*)$`)
const removal = new RegExp(`^DROP TABLE (IF EXISTS )?${name}(\\s[^]*)?$`)
const ofRows = new RegExp(`^(TRUNCATE TABLE IF EXISTS|TRUNCATE TABLE|OPTIMIZE TABLE|DELETE FROM) ${name}(\\s[^]*)?$`)

/**
 * The statements that do on a cluster what `statement`, which changes something, does on one server. Each table becomes two: a Replicated one
 * with the rows of a shard, called NAME_local, and a Distributed one called NAME, through which everything is read and inserted. A materialized
 * view is one of each shard.
 * @throws WinnowError UNEXPECTED for a statement that is not known here
 */
export function onCluster(statement: string, cluster: Cluster, database: string): string[] {
  const sql = statement.trim()
  const everywhere = `ON CLUSTER ${quoted(cluster.name)}`
  const at = (table: string) => `${quoted(database)}.${table} ${everywhere}`

  const created = creation.exec(sql)
  if (created !== null) {
    const [, table = '', columns = '', engine, args = '', order = '', rest] = created
    const key = cluster.shardKey(columnsOf(columns), listOf(order.replace(/^\(|\)$/g, '')))
    const local = localTable(table)
    return [
      `CREATE TABLE IF NOT EXISTS ${at(local)} (${columns}) ENGINE = Replicated${engine}${args} ORDER BY ${order}${rest}`,
      `CREATE TABLE IF NOT EXISTS ${at(table)} AS ${quoted(database)}.${local} ENGINE = Distributed(${[cluster.name, database, local].map(literal).join(', ')}, ${key})`,
    ]
  }
  const view = kept.exec(sql)
  if (view !== null) {
    // Each shard keeps what its own rows come to.
    const [, named = '', table = '', select = ''] = view
    const local = select.replace(tablesNamed, (_, before, one) => `${before} ${quoted(database)}.${localTable(one)}`)
    return [
      `CREATE MATERIALIZED VIEW IF NOT EXISTS ${at(named)} TO ${quoted(database)}.${localTable(table)} AS ${local}`,
    ]
  }
  const altered = alteration.exec(sql)
  if (altered !== null) {
    const [, table = '', change = ''] = altered
    const both = [localTable(table), table].map((one) => `ALTER TABLE ${at(one)} ${change}`)
    if (/^ADD COLUMN/.test(change)) return both
    // Nobody asks for a column that not every shard has.
    if (/^DROP COLUMN/.test(change)) return both.reverse()
    return both.slice(0, 1)
  }
  const removed = removal.exec(sql)
  if (removed !== null) {
    const [, condition = '', table = '', rest = ''] = removed
    return [table, localTable(table)].map((one) => `DROP TABLE ${condition}${at(one)}${rest}`)
  }
  const changed = ofRows.exec(sql)
  if (changed !== null) {
    const [, doing, table = '', rest = ''] = changed
    return [`${doing} ${at(localTable(table))}${rest}`]
  }
  // Shards run such a statement by themselves, each for its rows (unless its settings say otherwise), and know no default database.
  if (/^INSERT INTO \w+(\s*\([\w, ]+\))?\s+SELECT\b/.test(sql)) return [qualified(sql, database)]
  throw new WinnowError('UNEXPECTED', `a statement that is not known on a cluster: ${sql.slice(0, 200)}`)
}

const tablesNamed = /\b(INSERT INTO|FROM|JOIN) (\w+)/g

/** Names the database of every table. */
const qualified = (sql: string, database: string): string =>
  sql.replace(tablesNamed, (_, before, table) => `${before} ${quoted(database)}.${table}`)

/** The parts of a list that commas outside of brackets separate. */
function listOf(text: string): string[] {
  const parts = ['']
  let depth = 0
  for (const character of text) {
    if (character === '(') depth++
    if (character === ')') depth--
    if (character === ',' && depth === 0) parts.push('')
    else parts[parts.length - 1] += character
  }
  return parts.map((part) => part.trim())
}

const columnsOf = (definitions: string): string[] => listOf(definitions).map((column) => column.split(/\s/)[0]!)

const literal = (text: string): string => `'${text.replaceAll(/[\\']/g, (mark) => `\\${mark}`)}'`
