import type { DocumentId } from '../../schemas/index.ts'
import type { ViewOptions } from '../../topologies/corpus-store.ts'
import { type DocumentCondition, scoredBy } from '../../topologies/selection/conditions.ts'
import type { Amount, Corpus, Cut, DescribedDocument } from '../../topologies/selection/corpus.ts'
import type { Group } from '../../topologies/selection/groups.ts'
import type { ScoreSums } from '../../topologies/selection/moments.ts'
import type { Remaining } from '../../topologies/selection/plan.ts'
import type { RankedCut, Ranking } from '../../topologies/selection/ranked.ts'
import type { Seed } from '../../topologies/selection/u64.ts'
import type { Sql, SqlParameters } from '../runtime/clickhouse/sql.ts'
import { emitRanked } from './emit-ranked.ts'
import { excludedSql, type RanksOfView } from './excluded-sql.ts'
import { idOfRow, rowsOfLists } from './ids.ts'
import { drawKeySql, orderKeySql, placeSql, startsOf } from './key-sql.ts'
import { heldOf, rankedCut } from './ranked.ts'
import type { RankedSource } from './ranked-source.ts'
import { idsOfKeys, type SampleRow, samplesSql } from './samples-sql.ts'
import { labelsSql, limitsOf, scoresSql, standsBefore } from './view-sql.ts'

/** Ids fetched at a time while a selection is emitted: 16 MB as text, whatever the size of the selection. */
const emitDocumentsPerPage = 500_000

interface GroupRow {
  labels: number[]
  reads: string
  documents: string
  tokens: string
}

interface DocumentRow {
  doc: string
  tokens: string
  labels: number[]
  reads: string
  scores: number[]
}

/** The corpus in ClickHouse as of given offsets, by scanning the wide table: answers any question, at the cost of the whole corpus. */
export class ClickHouseCorpus implements Corpus {
  readonly #sql: Sql
  readonly #options: ViewOptions
  readonly #ranks: RanksOfView | undefined

  /** @param ranks of near duplicates, where the options limit them */
  constructor(sql: Sql, options: ViewOptions, ranks?: RanksOfView) {
    this.#sql = sql
    this.#options = options
    this.#ranks = ranks
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

  async samples(actorIndex: number, seed: Seed, count: number): Promise<Map<number, DocumentId[]>> {
    const { from, parameters } = this.#view()
    const rows = await this.#sql.query<SampleRow>(samplesSql(`labels[{actor:UInt32}]`, count, `(${from})`), {
      ...parameters,
      actor: actorIndex + 1,
      starts: startsOf(seed),
    })
    return new Map(rows.map(({ subcategory, keys }) => [subcategory, idsOfKeys(keys, seed)]))
  }

  async cut(groups: readonly Group[], seed: Seed, remaining: Remaining): Promise<Cut> {
    const { from, parameters } = this.#view()
    const marginal = `SELECT tokens, ${drawKeySql('place', 'starts')} AS k FROM (${from}) WHERE ${isOneOf(groups)}`
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

  async *emit(whole: readonly Group[], cuts: readonly Cut[], orderSeed: Seed): AsyncIterable<BigUint64Array> {
    const { from, parameters } = this.#view()
    const chosen = [isOneOf(whole)]
    for (const [i, { groups, seed, keyLast }] of cuts.entries()) {
      if (keyLast === null) continue
      parameters[`starts${i}`] = startsOf(seed)
      parameters[`keyLast${i}`] = keyLast
      chosen.push(`(${isOneOf(groups)} AND ${drawKeySql('place', `starts${i}`)} <= {keyLast${i}:UInt64})`)
    }
    const documents = [...whole, ...cuts].reduce((sum, part) => sum + part.documents, 0)
    const pages = Math.max(1, Math.ceil(documents / emitDocumentsPerPage))
    // Keys are spread evenly over 64 bits, so equal ranges are pages of nearly equal size.
    const step = 2n ** 64n / BigInt(pages)
    for (let page = 0; page < pages; page++) {
      const first = step * BigInt(page)
      const last = page === pages - 1 ? 2n ** 64n - 1n : first + step - 1n
      const rows = await this.#sql.query<{ doc: string }>(
        `SELECT doc FROM (SELECT doc, ${orderKeySql('doc', 'seed', 'order')} AS k FROM (${from}) WHERE ${chosen.join(' OR ')})
         WHERE k BETWEEN {first:UInt64} AND {last:UInt64} ORDER BY k`,
        { ...parameters, seed: orderSeed, first, last },
      )
      yield BigUint64Array.from(rows, ({ doc }) => idOfRow(doc))
    }
  }

  held(strata: readonly (readonly Group[])[], conditions: readonly DocumentCondition[]): Promise<Amount[]> {
    return heldOf(this.#ranked(scoredBy(conditions)), strata, conditions)
  }

  ranked(groups: readonly Group[], ranking: Ranking, wanted: Remaining): Promise<RankedCut> {
    return rankedCut(this.#ranked(ranking.scored), groups, ranking, wanted)
  }

  emitRanked(cuts: readonly RankedCut[], orderSeed: Seed): AsyncIterable<BigUint64Array> {
    return emitRanked(this.#ranked(cuts[0]?.ranking.scored ?? []), cuts, orderSeed)
  }

  #ranked(scored: readonly number[]): RankedSource {
    const { from, parameters } = this.#view(scored)
    const labels = this.#options.columns.map((_, i) => `labels[${i + 1}] AS l${i}`)
    const columns = [...labels, 'place', 'tokens', 'reads', ...scored.map((a, i) => `scores[${i + 1}] AS s${a}`)]
    return {
      sql: this.#sql,
      rows: (groups) => `(SELECT ${columns.join(', ')} FROM (${from}) WHERE ${isOneOf(groups)}) WHERE true`,
      parameters,
    }
  }

  async describe(
    ids: readonly DocumentId[],
    scoredActors: readonly number[] = [],
  ): Promise<Map<DocumentId, DescribedDocument>> {
    const described = new Map<DocumentId, DescribedDocument>()
    // The documents come first, so that only their rows are merged.
    const statement = (list: string) =>
      `SELECT doc, tokens, labels, reads, scores FROM (${this.#view(scoredActors, list).from})`
    const { parameters } = this.#view(scoredActors)
    for await (const { doc, tokens, labels, reads, scores } of rowsOfLists<DocumentRow>(
      this.#sql,
      ids,
      statement,
      parameters,
    ))
      described.set(idOfRow(doc), { labels, reads: Number(reads), tokens: Number(tokens), scores })
    return described
  }

  async scoreSums(actorIndex: number): Promise<ScoreSums> {
    const { from, parameters } = this.#view([actorIndex])
    const [row] = await this.#sql.query<{ documents: string; sum: string; squares: string }>(
      `SELECT count() AS documents, toString(sum(q)) AS sum, toString(sum(q * q)) AS squares
       FROM (SELECT toInt256(floor(scores[1] * 1048576 + 0.5)) AS q FROM (${from}))`,
      parameters,
    )
    const { documents, sum, squares } = row!
    return { documents: Number(documents), sum: BigInt(sum), squares: BigInt(squares) }
  }

  async scoresAt(actorIndex: number, ranks: readonly number[]): Promise<number[]> {
    const { from, parameters } = this.#view([actorIndex])
    const found: number[] = []
    for (const rank of ranks) {
      const [row] = await this.#sql.query<{ score: number }>(
        `SELECT scores[1] AS score FROM (${from}) ORDER BY score LIMIT 1 OFFSET {before:UInt64}`,
        { ...parameters, before: rank - 1 },
      )
      found.push(row!.score)
    }
    return found
  }

  /**
   * One row per document that takes part: doc, labels in configuration order, reads, tokens, and the scores of these actors.
   * @param among a list of ids; left out: all documents
   */
  #view(scoredActors: readonly number[] = [], among?: string): { from: string; parameters: SqlParameters } {
    const parameters = limitsOf(this.#options, 'limits')
    const scores = scoresSql(this.#options, scoredActors)
    const those = among === undefined ? '' : ` AND doc IN (${among})`
    const excluded = excludedSql(this.#options.labelOffsets, { ranks: this.#ranks })
    const others = excluded === undefined ? '' : ` AND doc NOT IN (${excluded})`
    const corpus = `SELECT doc, ${placeSql('doc', 'p')} AS place, tokens, ${labelsSql(this.#options)} AS labels, ${scores} AS scores FROM corpus FINAL WHERE ${standsBefore(this.#options, 'limits')}${those}${others}`
    if (this.#options.readsOf === null)
      return { from: `SELECT doc, place, tokens, labels, scores, toUInt64(0) AS reads FROM (${corpus})`, parameters }
    parameters.run = this.#options.readsOf
    const reads = `SELECT doc, sum(times) AS reads FROM reads FINAL WHERE run = {run:String}${those} GROUP BY doc`
    return {
      from: `SELECT c.doc AS doc, place, tokens, labels, scores, reads FROM (${corpus}) AS c LEFT JOIN (${reads}) AS r ON c.doc = r.doc`,
      parameters,
    }
  }
}

/** A condition on labels and reads. The numbers are inlined: a parameter list of this length would not fit into a URL. */
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
