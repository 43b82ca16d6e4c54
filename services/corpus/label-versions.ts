import type { Sql } from '../runtime/clickhouse/sql.ts'
import { columnNames } from './columns.ts'

/** The versions of an actor's labels in the corpus, and how many documents each has labelled. */
export async function labelVersions(sql: Sql, actor: string): Promise<{ version: string; documents: number }[]> {
  const prefix = columnNames({ actor, version: '' }).label
  const columns = await sql.query<{ name: string }>(
    "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'corpus' AND startsWith(name, {prefix:String}) ORDER BY name",
    { prefix },
  )
  // A longer actor name may begin with this one; versions have no underscore.
  const versions = columns.map(({ name }) => name.slice(prefix.length)).filter((version) => /^[a-z0-9]+$/.test(version))
  if (versions.length === 0) return []
  const counts = versions.map((version) => `countIf(isNotNull(${columnNames({ actor, version }).label}))`)
  const [row] = await sql.query<{ counts: string[] }>(`SELECT [${counts.join(', ')}] AS counts FROM corpus FINAL`)
  return versions.map((version, i) => ({ version, documents: Number(row!.counts[i]) }))
}

/** Two versions of an actor's labels side by side. */
export interface LabelPairs {
  /** Documents that both have labelled, by their two subcategories. */
  readonly cells: readonly { readonly first: number; readonly second: number; readonly documents: number }[]
  /** Documents that only one of them has labelled. */
  readonly onlyFirst: number
  readonly onlySecond: number
  /** Over the documents of `cells`: Spearman's rank correlation of the scores, and their mean absolute difference. */
  readonly scores: { readonly spearman: number; readonly meanAbsoluteDifference: number }
}

/** @param first and `second`: versions in the corpus, see `labelVersions` */
export async function labelPairs(sql: Sql, actor: string, first: string, second: string): Promise<LabelPairs> {
  const [a, b] = [columnNames({ actor, version: first }), columnNames({ actor, version: second })]
  const both = `FROM corpus FINAL WHERE isNotNull(${a.label}) AND isNotNull(${b.label})`
  const cells = await sql.query<{ first: number; second: number; documents: string }>(
    `SELECT ${a.label} AS first, ${b.label} AS second, count() AS documents ${both} GROUP BY first, second`,
  )
  const [row] = await sql.query<{ spearman: number; difference: number; onlyFirst: string; onlySecond: string }>(
    `SELECT rankCorr(assumeNotNull(${a.score}), assumeNotNull(${b.score})) AS spearman, avg(abs(${a.score} - ${b.score})) AS difference,
       (SELECT countIf(isNotNull(${a.label}) AND isNull(${b.label})) FROM corpus FINAL) AS onlyFirst,
       (SELECT countIf(isNull(${a.label}) AND isNotNull(${b.label})) FROM corpus FINAL) AS onlySecond ${both}`,
  )
  return {
    cells: cells.map((cell) => ({ ...cell, documents: Number(cell.documents) })),
    onlyFirst: Number(row!.onlyFirst),
    onlySecond: Number(row!.onlySecond),
    scores: { spearman: row!.spearman, meanAbsoluteDifference: row!.difference },
  }
}
