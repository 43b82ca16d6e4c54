import type { ViewOptions } from '../../topologies/corpus-store.ts'
import type { Corpus, Cut } from '../../topologies/selection/corpus.ts'
import type { Group } from '../../topologies/selection/groups.ts'
import type { Remaining } from '../../topologies/selection/plan.ts'
import type { Sql, SqlParameters } from '../runtime/clickhouse/sql.ts'
import type { CellHistogram } from './histogram.ts'
import { drawKeySql, orderKeySql, startsOf } from './key-sql.ts'
import { labelsSql, limitsOf, standsBefore } from './view-sql.ts'

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
  readonly #histogram: CellHistogram

  constructor(sql: Sql, options: ViewOptions, histogram: CellHistogram) {
    this.#sql = sql
    this.#options = options
    this.#histogram = histogram
  }

  async groups(): Promise<Group[]> {
    // How often documents were read changes with every round, for all cells: only the histogram without it is kept.
    if (this.#options.readsOf === null) return await this.#histogram.groups(this.#options)
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
    const key = drawKeySql('doc', 'starts', 'sample')
    const rows = await this.#sql.query<{ doc: string }>(
      `SELECT doc FROM (${from}) WHERE labels[{actor:UInt32}] = {subcategory:UInt16} ORDER BY ${key}, doc LIMIT {count:UInt64}`,
      { ...parameters, actor: actorIndex + 1, subcategory, starts: startsOf(seed), count },
    )
    return rows.map(({ doc }) => BigInt(doc))
  }

  async cut(groups: readonly Group[], seed: bigint, remaining: Remaining): Promise<Cut> {
    const { from, parameters } = this.#view()
    const marginal = `SELECT tokens, ${drawKeySql('doc', 'starts', 'cut')} AS k FROM (${from}) WHERE ${isOneOf(groups)}`
    const taken =
      'documents' in remaining
        ? `SELECT k, tokens FROM (${marginal}) ORDER BY k LIMIT {remaining:UInt64}`
        : `SELECT k, tokens FROM (SELECT k, tokens, sum(tokens) OVER (ORDER BY k ROWS UNBOUNDED PRECEDING) - tokens AS before
           FROM (${marginal})) WHERE before < {remaining:UInt64}`
    const [row] = await this.#sql.query<{ keyLast: string; documents: string; tokens: string }>(
      `SELECT max(k) AS keyLast, count() AS documents, sum(tokens) AS tokens FROM (${taken})`,
      {
        ...parameters,
        starts: startsOf(seed),
        remaining: 'documents' in remaining ? remaining.documents : remaining.tokens,
      },
    )
    const documents = Number(row!.documents)
    return {
      groups,
      seed,
      keyLast: documents === 0 ? null : BigInt(row!.keyLast),
      documents,
      tokens: Number(row!.tokens),
    }
  }

  async *emit(whole: readonly Group[], cut: Cut, orderSeed: bigint): AsyncIterable<BigUint64Array> {
    const { from, parameters } = this.#view()
    const chosen = [isOneOf(whole)]
    if (cut.keyLast !== null)
      chosen.push(`(${isOneOf(cut.groups)} AND ${drawKeySql('doc', 'cutStarts', 'cut')} <= {keyLast:UInt64})`)
    const documents = whole.reduce((sum, group) => sum + group.documents, 0) + cut.documents
    const pages = Math.max(1, Math.ceil(documents / emitDocumentsPerPage))
    // Keys are spread evenly over 64 bits, so equal ranges of them are pages of nearly equal size.
    const step = 2n ** 64n / BigInt(pages)
    for (let page = 0; page < pages; page++) {
      const first = step * BigInt(page)
      const last = page === pages - 1 ? 2n ** 64n - 1n : first + step - 1n
      const rows = await this.#sql.query<{ doc: string }>(
        `SELECT doc FROM (SELECT doc, ${orderKeySql('doc', 'seed', 'order')} AS k FROM (${from}) WHERE ${chosen.join(' OR ')})
         WHERE k BETWEEN {first:UInt64} AND {last:UInt64} ORDER BY k`,
        { ...parameters, cutStarts: startsOf(cut.seed), keyLast: cut.keyLast ?? 0n, seed: orderSeed, first, last },
      )
      yield BigUint64Array.from(rows, ({ doc }) => BigInt(doc))
    }
  }

  /** One row a document that takes part: doc, labels in configuration order, reads, tokens. */
  #view(): { from: string; parameters: SqlParameters } {
    const parameters = limitsOf(this.#options, 'limits')
    const corpus = `SELECT doc, tokens, ${labelsSql(this.#options)} AS labels FROM corpus FINAL WHERE ${standsBefore(this.#options, 'limits')}`
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

/** A condition on labels and reads. The numbers stand in the statement itself: a list of parameters of this length would not fit into a URL. */
function isOneOf(groups: readonly Group[]): string {
  if (groups.length === 0) return 'false'
  const tuples = groups.map(({ labels, reads }) => {
    const numbers = [...labels, reads]
    if (!numbers.every(Number.isSafeInteger)) throw new RangeError(`not a group: ${numbers.join(', ')}`)
    return `(${numbers.join(',')})`
  })
  const names = [...groups[0]!.labels.map((_, i) => `labels[${i + 1}]`), 'reads']
  return `(${names.join(', ')}) IN (${tuples.join(',')})`
}
