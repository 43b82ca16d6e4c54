import { LRUCache } from 'lru-cache'
import type { TopicOffset } from '../../schemas/index.ts'
import type { LabelColumn } from '../../topologies/corpus-store.ts'
import type { Group } from '../../topologies/selection/groups.ts'
import type { Sql } from '../runtime/clickhouse/sql.ts'
import { labelsSql, limitOf, limitsOf, offsetColumns, standsBefore } from './view-sql.ts'

interface AsOf {
  readonly columns: readonly LabelColumn[]
  readonly labelOffsets: readonly TopicOffset[]
}

interface Base extends AsOf {
  readonly cells: ReadonlyMap<string, Group>
}

/** Runs that are selected for at one time, each perhaps with versions of its own. */
const basesMax = 16

/**
 * Documents and tokens of every cell as of given offsets, kept from one question to the next: of a later one only the documents that came
 * in between are counted. Exact because offsets are asked for after everything before them has been added (`CorpusStore.commit`), and a
 * label never changes: a document that took part takes part for good, in the same cell. Earlier offsets are counted from nothing.
 */
export class CellHistogram {
  readonly #sql: Sql
  readonly #bases = new LRUCache<string, Base>({ max: basesMax })

  constructor(sql: Sql) {
    this.#sql = sql
  }

  async groups({ columns, labelOffsets }: AsOf): Promise<Group[]> {
    const key = JSON.stringify(columns)
    const base = this.#bases.get(key)
    const later = base !== undefined && isNotBefore(labelOffsets, base.labelOffsets)
    const cells = new Map(later ? base.cells : [])
    const found = later
      ? await this.#between(base, { columns, labelOffsets })
      : await this.#all({ columns, labelOffsets })
    for (const { labels, documents, tokens } of found) {
      const name = labels.join()
      const before = cells.get(name) ?? { labels, reads: 0, documents: 0, tokens: 0 }
      cells.set(name, { ...before, documents: before.documents + documents, tokens: before.tokens + tokens })
    }
    this.#keep(key, { columns, labelOffsets, cells })
    return [...cells.values()]
  }

  /** A question about earlier offsets must not set the base back. */
  #keep(key: string, base: Base): void {
    const known = this.#bases.get(key)
    if (known !== undefined && !isNotBefore(base.labelOffsets, known.labelOffsets)) return
    this.#bases.set(key, base)
  }

  #all(asOf: AsOf): Promise<Group[]> {
    return this.#count(asOf, standsBefore(asOf, 'limits'), limitsOf(asOf, 'limits'))
  }

  /**
   * Documents that take part now and did not before: the last of their records to come stands between the two offsets. Rows of such records
   * are found first, without merging, and only the documents that they name are then looked at as a whole.
   */
  #between(before: AsOf, now: AsOf): Promise<Group[]> {
    const recent = offsetColumns(now).map(
      ({ at }, i) => `(${at} >= ${limitOf('before', i)} AND ${at} < ${limitOf('limits', i)})`,
    )
    const conditions = [
      `doc IN (SELECT doc FROM corpus WHERE ${recent.join(' OR ')})`,
      standsBefore(now, 'limits'),
      `NOT (${standsBefore(now, 'before')})`,
    ]
    return this.#count(now, conditions.join(' AND '), { ...limitsOf(now, 'limits'), ...limitsOf(before, 'before') })
  }

  async #count(asOf: AsOf, condition: string, parameters: ReturnType<typeof limitsOf>): Promise<Group[]> {
    const rows = await this.#sql.query<{ labels: number[]; documents: string; tokens: string }>(
      `SELECT ${labelsSql(asOf)} AS labels, count() AS documents, sum(tokens) AS tokens FROM corpus FINAL WHERE ${condition} GROUP BY labels`,
      parameters,
    )
    return rows.map(({ labels, documents, tokens }) => ({
      labels,
      reads: 0,
      documents: Number(documents),
      tokens: Number(tokens),
    }))
  }
}

/** Whether no partition's offset is lower than before. */
function isNotBefore(now: readonly TopicOffset[], before: readonly TopicOffset[]): boolean {
  const offsets = new Map(now.map(({ topic, partition, offsetNext }) => [`${topic}[${partition}]`, offsetNext]))
  return before.every(({ topic, partition, offsetNext }) => (offsets.get(`${topic}[${partition}]`) ?? 0) >= offsetNext)
}
