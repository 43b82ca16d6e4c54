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
    const attempt = attemptNumber()
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
    const sketched = sketchedSql(options)
    const parameters = { ...limitsOf(options, 'limits'), version }
    // Who shares a key with anybody: keys come sorted, so each row is compared with the one before, and nothing else is held. What is found is kept in a table, by document as all tables are, so that each
    // shard then asks for its own; under a number that nobody looks up.
    const sharing = attemptNumber()
    await this.#sql.command(
      `INSERT INTO duplicate_ranks (attempt, doc, rank)
       SELECT DISTINCT ${sharing} AS attempt, arrayJoin([docHere, docBefore]) AS doc, toUInt32(0) AS rank FROM (
         SELECT key, doc AS docHere, lagInFrame(key) OVER pair AS keyBefore, lagInFrame(doc) OVER pair AS docBefore FROM sketch_keys WHERE ${sketched}
         WINDOW pair AS (ORDER BY key, doc ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
       ) WHERE key = keyBefore
       SETTINGS parallel_distributed_insert_select = 0`,
      { version },
    )
    await this.#sql.settle(['duplicate_ranks'])
    const shares = `doc IN (SELECT doc FROM duplicate_ranks WHERE attempt = ${sharing})`
    await this.#sql.command(
      `INSERT INTO duplicate_ranks (attempt, doc, rank)
       SELECT ${attempt} AS attempt, doc, toUInt32(max(place) - 1) AS rank FROM (
         SELECT doc, dense_rank() OVER (PARTITION BY key ORDER BY doc) AS place FROM sketch_keys
         WHERE ${sketched} AND doc IN (SELECT doc FROM ${there} AND ${shares})
       ) WHERE place > 1 GROUP BY doc
       SETTINGS parallel_distributed_insert_select = 0`,
      parameters,
    )
    await this.#sql.command(
      `INSERT INTO duplicate_ranks (attempt, doc, rank)
       SELECT ${attempt} AS attempt, doc, toUInt32(${unsketchedRank}) AS rank FROM (SELECT doc FROM ${there}) AS corpus_documents
       LEFT JOIN (SELECT doc, 1 AS isSketched FROM sketches WHERE ${sketched}) AS sketched_documents USING (doc) WHERE isSketched = 0
       SETTINGS parallel_distributed_insert_select = 0, ${merging}`,
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
    // Each document once, whatever number of records it has.
    const sketches = `SELECT doc, 1 AS isSketched FROM sketches WHERE ${sketchedSql(options)} GROUP BY doc`
    const there = `SELECT doc FROM corpus FINAL WHERE ${standsBefore(options, 'limits')}`
    const [row] = await this.#sql.query<{ done: string; total: string }>(
      `SELECT sum(isSketched) AS done, count() AS total FROM (${there}) AS corpus_documents LEFT JOIN (${sketches}) AS sketched_documents USING (doc) SETTINGS optimize_aggregation_in_order = 1, ${merging}`,
      { ...limitsOf(options, 'limits'), version },
    )
    return { done: Number(row!.done), total: Number(row!.total) }
  }
}

/** True for records of sketches that are seen; its parameter is their version. */
const sketchedSql = ({ labelOffsets }: Labelled): string =>
  `version = {version:String} AND ${isBefore(labelOffsets, topics.sketches.name)}`

/** Both sides stand sorted by document: neither is held. */
const merging = "join_algorithm = 'full_sorting_merge'"

const attemptNumber = () => randomInt(2 ** 48 - 1)

/** What is seen alike has the same name. */
function stateOf(options: Labelled, version: string): string {
  const inputs = [...offsetColumns(options).map(({ topic }) => topic), topics.exclusions.name, topics.sketches.name]
  const relevant = options.labelOffsets.filter(({ topic, offsetNext }) => inputs.includes(topic) && offsetNext > 0)
  const places = relevant.map(({ topic, partition, offsetNext }: TopicOffset) => [topic, partition, offsetNext])
  const text = JSON.stringify([version, options.columns, places.map((place) => place.join(' ')).sort()])
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
