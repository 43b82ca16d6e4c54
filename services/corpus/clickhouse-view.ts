import { topics } from '../../schemas/index.ts'
import type { ViewOptions } from '../../topologies/corpus-store.ts'
import type { Corpus, Cut } from '../../topologies/selection/corpus.ts'
import type { Group } from '../../topologies/selection/groups.ts'
import type { Remaining } from '../../topologies/selection/plan.ts'
import type { Sql, SqlParameters } from '../runtime/clickhouse/sql.ts'
import { columnNames } from './columns.ts'
import { keySql } from './key-sql.ts'

/** Ids fetched at a time while a selection is emitted: 16 MB as text, whatever the size of the selection. */
const emitDocumentsPerPage = 500_000

interface GroupRow {
  labels: number[]
  reads: string
  documents: string
  tokens: string
}

/** The corpus in ClickHouse as of given offsets; every question is answered by the histogram or by a scan filtered by cell. */
export class ClickHouseCorpus implements Corpus {
  readonly #sql: Sql
  readonly #options: ViewOptions
  readonly #labels: readonly string[]

  constructor(sql: Sql, options: ViewOptions) {
    this.#sql = sql
    this.#options = options
    this.#labels = options.columns.map((column) => columnNames(column).label)
  }

  async groups(): Promise<Group[]> {
    const { from, parameters } = this.#view()
    const rows = await this.#sql.query<GroupRow>(
      `SELECT labels, reads, count() AS documents, sum(tokens) AS tokens FROM (${from}) GROUP BY labels, reads`,
      parameters,
    )
    return rows.map(({ labels, reads, documents, tokens }) => ({
      labels,
      reads: Number(reads),
      documents: Number(documents),
      tokens: Number(tokens),
    }))
  }

  async sample(actorIndex: number, subcategory: number, seed: bigint, count: number): Promise<bigint[]> {
    const { from, parameters } = this.#view()
    const key = keySql('doc', 'seed', 'sample')
    const rows = await this.#sql.query<{ doc: string }>(
      `SELECT doc FROM (${from}) WHERE labels[{actor:UInt32}] = {subcategory:UInt16} ORDER BY ${key}, doc LIMIT {count:UInt64}`,
      { ...parameters, actor: actorIndex + 1, subcategory, seed, count },
    )
    return rows.map(({ doc }) => BigInt(doc))
  }

  async cut(groups: readonly Group[], seed: bigint, remaining: Remaining): Promise<Cut> {
    const { from, parameters } = this.#view()
    const filter = groupsFilter(groups)
    const marginal = `SELECT doc, tokens, ${keySql('doc', 'seed', 'cut')} AS k FROM (${from}) WHERE ${filter.sql}`
    const taken =
      'documents' in remaining
        ? `SELECT doc, tokens FROM (${marginal}) ORDER BY k, doc LIMIT {remaining:UInt64}`
        : `SELECT doc, tokens FROM (SELECT doc, tokens, k, sum(tokens) OVER (ORDER BY k, doc ROWS UNBOUNDED PRECEDING) - tokens AS before
           FROM (${marginal})) WHERE before < {remaining:UInt64} ORDER BY k, doc`
    const rows = await this.#sql.query<{ doc: string; tokens: string }>(taken, {
      ...parameters,
      ...filter.parameters,
      seed,
      remaining: 'documents' in remaining ? remaining.documents : remaining.tokens,
    })
    return { ids: idsOf(rows), documents: rows.length, tokens: rows.reduce((sum, row) => sum + Number(row.tokens), 0) }
  }

  async *emit(whole: readonly Group[], cut: BigUint64Array, orderSeed: bigint): AsyncIterable<BigUint64Array> {
    const { from, parameters } = this.#view()
    const filter = groupsFilter(whole)
    const documents = whole.reduce((sum, group) => sum + group.documents, 0) + cut.length
    const pages = Math.max(1, Math.ceil(documents / emitDocumentsPerPage))
    const cutIds = [...cut].map(String)
    // Keys are spread evenly over 64 bits, so equal ranges of them are pages of nearly equal size.
    const step = 2n ** 64n / BigInt(pages)
    for (let page = 0; page < pages; page++) {
      const first = step * BigInt(page)
      const last = page === pages - 1 ? 2n ** 64n - 1n : first + step - 1n
      const rows = await this.#sql.query<{ doc: string }>(
        `SELECT doc FROM (SELECT doc, ${keySql('doc', 'seed', 'order')} AS k FROM (
           SELECT doc FROM (${from}) WHERE ${filter.sql}
           UNION ALL SELECT arrayJoin({cut:Array(UInt64)}) AS doc))
         WHERE k BETWEEN {first:UInt64} AND {last:UInt64} ORDER BY k, doc`,
        { ...parameters, ...filter.parameters, cut: cutIds, seed: orderSeed, first, last },
      )
      yield idsOf(rows)
    }
  }

  /** One row a document that takes part: doc, labels in configuration order, reads, tokens. */
  #view(): { from: string; parameters: SqlParameters } {
    const parameters: SqlParameters = {}
    const inputs = [
      { at: 'at_document', topic: topics.documents.name },
      ...this.#options.columns.map((column) => ({ at: columnNames(column).at, topic: column.topic })),
    ]
    const conditions = inputs.map(({ at, topic }, i) => {
      const offsets = this.#options.labelOffsets.filter((offset) => offset.topic === topic)
      const limits = Array.from({ length: Math.max(0, ...offsets.map(({ partition }) => partition + 1)) }, () => 0)
      for (const { partition, offsetNext } of offsets) limits[partition] = offsetNext
      parameters[`limits${i}`] = limits
      // Beyond the array ClickHouse answers 0: nothing of a partition that was not there takes part.
      return `${at} < {limits${i}:Array(UInt64)}[part + 1]`
    })
    const labels = `CAST([${this.#labels.map((label) => `assumeNotNull(${label})`).join(', ')}], 'Array(UInt16)')`
    const corpus = `SELECT doc, tokens, ${labels} AS labels FROM corpus FINAL WHERE ${conditions.join(' AND ')}`
    if (this.#options.readsOf === null)
      return { from: `SELECT doc, tokens, labels, toUInt64(0) AS reads FROM (${corpus})`, parameters }
    parameters.run = this.#options.readsOf
    const reads = 'SELECT doc, sum(times) AS reads FROM reads FINAL WHERE run = {run:String} GROUP BY doc'
    return {
      from: `SELECT c.doc AS doc, tokens, labels, reads FROM (${corpus}) AS c LEFT JOIN (${reads}) AS r ON c.doc = r.doc`,
      parameters,
    }
  }
}

function groupsFilter(groups: readonly Group[]): { sql: string; parameters: SqlParameters } {
  const names = groups.map(({ labels, reads }) => `${labels.join(',')};${reads}`)
  if (names.length === 0) return { sql: '0', parameters: {} }
  const name = "concat(arrayStringConcat(labels, ','), ';', toString(reads))"
  return { sql: `${name} IN (SELECT arrayJoin({groups:Array(String)}))`, parameters: { groups: names } }
}

const idsOf = (rows: readonly { doc: string }[]): BigUint64Array => BigUint64Array.from(rows, ({ doc }) => BigInt(doc))
