import { WinnowError } from '../errors.ts'
import type { Sql } from './sql.ts'

/**
 * Whether the server knows the cluster, and winnow's tables in the database were made for it (without one: for a single server).
 * @throws WinnowError CONFIGURATION that says what does not fit
 */
export async function checkCluster(sql: Sql, cluster: string | undefined): Promise<void> {
  if (cluster !== undefined) await checkShards(sql, cluster)
  const [made] = await sql.query<{ engine: string }>(
    "SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = 'winnow_migrations'",
  )
  if (made === undefined || (made.engine === 'Distributed') === (cluster !== undefined)) return
  const [is, wanted] =
    cluster === undefined
      ? ['of a cluster', 'no clickhouse.cluster is configured']
      : ['of a single server', `clickhouse.cluster is ${cluster}`]
  throw new WinnowError('CONFIGURATION', `the tables of this ClickHouse database are ${is}, and ${wanted}`, {
    hint: 'Name another database (clickhouse.database): the label sink fills it from the topics. Or go back to how this one was made.',
  })
}

async function checkShards(sql: Sql, cluster: string): Promise<void> {
  const rows = await sql.query<{ cluster: string; internal: number }>(
    'SELECT cluster, min(internal_replication) AS internal FROM system.clusters GROUP BY cluster ORDER BY cluster',
  )
  const found = rows.find((row) => row.cluster === cluster)
  if (found === undefined) {
    const others = rows.length === 0 ? 'none' : rows.map((row) => row.cluster).join(', ')
    throw new WinnowError('CONFIGURATION', `ClickHouse knows no cluster ${cluster}; it knows ${others}`, {
      hint: 'Correct clickhouse.cluster, or add it to remote_servers in the configuration of every server.',
    })
  }
  if (Number(found.internal) === 1) return
  throw new WinnowError('CONFIGURATION', `cluster ${cluster} of ClickHouse has a shard without internal_replication`, {
    hint: 'Set <internal_replication>true</internal_replication> for every shard: rows would be inserted once for each replica.',
  })
}
