import type { DocumentId } from '../../schemas/index.ts'
import type { Seed } from '../../topologies/selection/u64.ts'
import type { Sql } from '../runtime/clickhouse/sql.ts'
import { idOfRow } from './ids.ts'
import { orderKeySql } from './key-sql.ts'

/** At most `count` documents of the whole corpus, drawn by a seed: the first by orderKey(id, seed) of SELECTION.md. */
export async function drawDocuments(sql: Sql, seed: Seed, count: number): Promise<DocumentId[]> {
  const rows = await sql.query<{ doc: string }>(
    `SELECT doc FROM (SELECT DISTINCT doc FROM documents) ORDER BY ${orderKeySql('doc', 'seed', 'drawn')} LIMIT {count:UInt64}`,
    { seed, count },
  )
  return rows.map(({ doc }) => idOfRow(doc))
}
