import { createHash, randomInt } from 'node:crypto'
import { type TopicOffset, topics } from '../../schemas/index.ts'
import type { CrowdedOptions, Preparing, ViewOptions } from '../../topologies/corpus-store.ts'
import type { SourceCrowd } from '../../topologies/duplicates/losses.ts'
import type { Sql } from '../runtime/clickhouse/sql.ts'
import { excludedSql, isBefore, type RanksOfView } from './excluded-sql.ts'
import { limitsOf, offsetColumns, standsBefore } from './view-sql.ts'

type Labelled = Pick<ViewOptions, 'columns' | 'labelOffsets'>

/** Of a document without a sketch: above every limit. */
const unsketchedRank = 2 ** 32 - 1

/** Ranks of documents in their crowds (topologies/duplicates/crowds.ts), computed in ClickHouse once for all views that see the same. */
export class DuplicateRanks {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** @returns undefined: any number of near duplicates takes part */
  async of(options: ViewOptions): Promise<RanksOfView | undefined> {
    const { duplicates } = options
    if (duplicates === undefined) return undefined
    const { version, atMost } = duplicates
    const state = stateOf(options, version)
    await this.#sql.settle(['duplicate_states'])
    const [known] = await this.#sql.query<{ attempt: string }>(
      'SELECT attempt FROM duplicate_states WHERE state = {state:String} AND made > now() - INTERVAL 1 DAY ORDER BY attempt LIMIT 1',
      { state },
    )
    if (known !== undefined) return { attempt: Number(known.attempt), atMost }
    const attempt = randomInt(2 ** 48 - 1)
    await this.#make(attempt, options, version)
    await this.#sql.insert('duplicate_states', [{ state, attempt }], { columns: ['state', 'attempt'] })
    return { attempt, atMost }
  }

  async #make(attempt: number, options: Labelled, version: string): Promise<void> {
    const { labelOffsets } = options
    await this.#sql.settle(['corpus', 'exclusions', 'sketches', 'sketch_keys'])
    const excluded = excludedSql(labelOffsets)
    const others = excluded === undefined ? '' : ` AND doc NOT IN (${excluded})`
    const there = `corpus FINAL WHERE ${standsBefore(options, 'limits')}${others}`
    const sketched = `version = {version:String} AND ${isBefore(labelOffsets, topics.sketches.name)}`
    const parameters = { ...limitsOf(options, 'limits'), version }
    // Keys come sorted, so a crowd at a time is held; then the documents that are not the first of a crowd, which are some of all.
    const crowds = `SELECT arraySort(groupUniqArray(doc)) AS crowd FROM sketch_keys
      WHERE ${sketched} AND doc IN (SELECT doc FROM ${there}) GROUP BY version, key HAVING length(crowd) > 1`
    const members = `SELECT arrayJoin(arrayZip(arrayPopFront(crowd), arrayEnumerate(arrayPopFront(crowd)))) AS member FROM (${crowds})`
    await this.#sql.command(
      `INSERT INTO duplicate_ranks (attempt, doc, rank)
       SELECT ${attempt} AS attempt, member.1 AS doc, toUInt32(max(member.2)) AS rank FROM (${members}) GROUP BY doc
       SETTINGS optimize_aggregation_in_order = 1, parallel_distributed_insert_select = 0`,
      parameters,
    )
    await this.#sql.command(
      `INSERT INTO duplicate_ranks (attempt, doc, rank)
       SELECT ${attempt} AS attempt, doc, toUInt32(${unsketchedRank}) AS rank FROM ${there} AND doc NOT IN (SELECT doc FROM sketches WHERE ${sketched})
       SETTINGS parallel_distributed_insert_select = 0`,
      parameters,
    )
    await this.#sql.settle(['duplicate_ranks'])
  }

  /** See `CorpusStore.crowdedOut`. */
  async crowdedOut(options: CrowdedOptions): Promise<SourceCrowd[]> {
    const { attempt, atMost } = (await this.of({ ...options, readsOf: null }))!
    await this.#sql.settle(['corpus', 'exclusions', 'duplicate_ranks'])
    const excluded = excludedSql(options.labelOffsets)
    const ranked = `SELECT doc FROM duplicate_ranks WHERE attempt = ${attempt} AND rank`
    const there = `corpus FINAL WHERE ${standsBefore(options, 'limits')}${excluded === undefined ? '' : ` AND doc NOT IN (${excluded})`}`
    const rows = await this.#sql.query<Record<keyof SourceCrowd, string>>(
      `SELECT bitShiftRight(doc, 40) AS source, count() AS documents, sum(size) AS tokens, countIf(isLost) AS lostDocuments, sumIf(size, isLost) AS lostTokens
       FROM (SELECT doc, tokens AS size, doc IN (${ranked} >= ${atMost}) AS isLost FROM ${there} AND doc NOT IN (${ranked} = ${unsketchedRank}))
       GROUP BY source`,
      limitsOf(options, 'limits'),
    )
    return rows.map((row) => ({
      ...{ source: Number(row.source), documents: Number(row.documents), tokens: Number(row.tokens) },
      ...{ lostDocuments: Number(row.lostDocuments), lostTokens: Number(row.lostTokens) },
    }))
  }

  /** See `CorpusStore.sketched`. */
  async sketched(options: Labelled, version: string): Promise<Preparing> {
    await this.#sql.settle(['corpus', 'sketches'])
    const sketches = `SELECT doc FROM sketches WHERE version = {version:String} AND ${isBefore(options.labelOffsets, topics.sketches.name)}`
    const [row] = await this.#sql.query<{ done: string; total: string }>(
      `SELECT countIf(doc IN (${sketches})) AS done, count() AS total FROM corpus FINAL WHERE ${standsBefore(options, 'limits')}`,
      { ...limitsOf(options, 'limits'), version },
    )
    return { done: Number(row!.done), total: Number(row!.total) }
  }
}

/** What is seen alike has the same name. */
function stateOf(options: Labelled, version: string): string {
  const inputs = [...offsetColumns(options).map(({ topic }) => topic), topics.exclusions.name, topics.sketches.name]
  const relevant = options.labelOffsets.filter(({ topic, offsetNext }) => inputs.includes(topic) && offsetNext > 0)
  const places = relevant.map(({ topic, partition, offsetNext }: TopicOffset) => [topic, partition, offsetNext])
  const text = JSON.stringify([version, options.columns, places.map((place) => place.join(' ')).sort()])
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
