import type { Document, DocumentId, Exclusion, Label, Sketch, TopicOffset } from '../../schemas/index.ts'
import type { At, CorpusStore, CrowdedOptions, Preparing, ViewOptions } from '../../topologies/corpus-store.ts'
import type { SourceCrowd } from '../../topologies/duplicates/losses.ts'
import { Labels } from '../../topologies/labels.ts'
import type { Corpus } from '../../topologies/selection/corpus.ts'
import type { ReadSelection } from '../../topologies/selection/read-selection.ts'
import type { Sql } from '../runtime/clickhouse/sql.ts'
import { ClickHouseCorpus } from './clickhouse-view.ts'
import { columnNames } from './columns.ts'
import { DuplicateRanks } from './duplicate-ranks.ts'
import { excludedSql } from './excluded-sql.ts'
import { amongIds, idOfRow, rowsOfIds } from './ids.ts'
import { placeSql } from './key-sql.ts'
import { labelRows } from './label-rows.ts'
import { addRangesSql } from './sorted/newcomers-sql.ts'
import { ReadSelections } from './sorted/read-selections.ts'
import { SortedCorpus, type SortedCorpusOptions } from './sorted/sorted-corpus.ts'
import { SortedStates } from './sorted/states.ts'

type Tuning = Pick<SortedCorpusOptions, 'scannedMax' | 'pages' | 'openMax'>

/** The corpus in ClickHouse (schemas/clickhouse). Repeated rows merge into one, so every add may be repeated. */
export class ClickHouseStore implements CorpusStore {
  readonly #sql: Sql
  readonly #columnsKnown = new Set<string>()
  readonly #sorted: SortedStates
  readonly #reads: ReadSelections
  readonly #ranks: DuplicateRanks
  readonly #tuning: Tuning

  /**
   * @param rowsPerStep rows that a step of a build looks at
   * @param tuning see `SortedCorpusOptions`
   */
  constructor(sql: Sql, { rowsPerStep, ...tuning }: { rowsPerStep?: number } & Tuning = {}) {
    this.#sql = sql
    this.#sorted = new SortedStates(sql, rowsPerStep === undefined ? {} : { rowsPerStep })
    this.#reads = new ReadSelections(sql)
    this.#ranks = new DuplicateRanks(sql)
    this.#tuning = tuning
  }

  async addDocuments(documents: readonly At<Document>[]): Promise<void> {
    const texts = documents.map(({ value: { docId, text, meta, tokens } }) => ({ doc: docId, text, meta, tokens }))
    for (const some of inserts(texts)) await this.#sql.insert('documents', some)
    const rows = documents.map(({ value: { docId, tokens }, partition, offset }) => ({
      doc: docId,
      part: partition,
      tokens,
      at_document: offset,
    }))
    await this.#sql.insert('corpus', rows, { columns: ['doc', 'part', 'tokens', 'at_document'] })
  }

  async addLabels(labels: Iterable<At<Label>>): Promise<void> {
    for (const columns of Labels.of(labels).byVersion) {
      await this.ensureColumns(columns.actor, columns.version)
      const { label, score, at } = columnNames(columns)
      await this.#sql.insertBinary('corpus', ['doc', 'part', label, score, at], labelRows(columns))
    }
  }

  /**
   * Adds the columns of one version of an actor's labels if they are missing. Of several labels of a document the first one inserted counts, which
   * is the one at the lowest offset: nothing of a partition is inserted before all that precedes it.
   */
  async ensureColumns(actor: string, version: string): Promise<void> {
    const names = columnNames({ actor, version })
    if (this.#columnsKnown.has(names.label)) return
    const columns = [
      `${names.label} SimpleAggregateFunction(any, Nullable(UInt16))`,
      `${names.score} SimpleAggregateFunction(any, Nullable(Float64))`,
      `${names.at} SimpleAggregateFunction(min, Nullable(UInt64))`,
    ]
    await this.#sql.command(
      `ALTER TABLE corpus ${columns.map((column) => `ADD COLUMN IF NOT EXISTS ${column}`).join(', ')}`,
    )
    for (const offsets of ['at_document', names.at]) await this.#sql.command(addRangesSql(offsets))
    this.#columnsKnown.add(names.label)
  }

  async addExclusions(exclusions: readonly At<Exclusion>[]): Promise<void> {
    const rows = exclusions.map(({ value: { docId, list, excluded, ...record }, partition, offset }) => ({
      ...{ doc: docId, list, part: partition, at: offset, excluded: excluded ? 1 : 0 },
      record: JSON.stringify(record),
    }))
    await this.#sql.insert('exclusions', rows)
  }

  async addSketches(sketches: readonly At<Sketch>[]): Promise<void> {
    const rows = sketches.map(({ value: { docId, version, keys }, partition, offset }) => ({
      ...{ version, doc: docId, part: partition, at: offset, keys },
    }))
    await this.#sql.insert('sketches', rows)
  }

  async commit(offsets: readonly TopicOffset[]): Promise<void> {
    await this.#sql.insert('sink_offsets', offsets)
  }

  async committed(): Promise<TopicOffset[]> {
    const rows = await this.#sql.query<{ topic: string; partition: number; offsetNext: string }>(
      'SELECT topic, partition, offsetNext FROM sink_offsets FINAL ORDER BY topic, partition',
    )
    return rows.map((row) => ({ ...row, offsetNext: Number(row.offsetNext) }))
  }

  async prepare(options: ViewOptions): Promise<Preparing | undefined> {
    for (const { actor, version } of options.columns) await this.ensureColumns(actor, version)
    return await this.#sorted.prepare(options)
  }

  preparing(options: Pick<ViewOptions, 'columns' | 'scored'>): Promise<Preparing | undefined> {
    return this.#sorted.unfinished(options)
  }

  async sketched(options: Pick<ViewOptions, 'columns' | 'labelOffsets'>, version: string): Promise<Preparing> {
    for (const column of options.columns) await this.ensureColumns(column.actor, column.version)
    return await this.#ranks.sketched(options, version)
  }

  async crowdedOut(options: CrowdedOptions): Promise<SourceCrowd[]> {
    for (const { actor, version } of options.columns) await this.ensureColumns(actor, version)
    return await this.#ranks.crowdedOut(options)
  }

  async view(options: ViewOptions): Promise<Corpus> {
    for (const { actor, version } of options.columns) await this.ensureColumns(actor, version)
    const ranks = await this.#ranks.of(options)
    const excluded = excludedSql(options.labelOffsets, { value: placeSql('doc', 'x'), ranks })
    const tables = ['corpus', ...(options.readsOf === null ? [] : ['reads']), ...(excluded ? ['exclusions'] : [])]
    await this.#sql.settle(tables)
    const wide = new ClickHouseCorpus(this.#sql, options, ranks)
    const state = options.draws ? await this.#sorted.make(options) : await this.#sorted.find(options)
    if (state === undefined) return wide
    const { readsOf } = options
    const sorted = { ...this.#tuning, ...(excluded && { excluded }) }
    if (readsOf === null) return new SortedCorpus(this.#sql, state, wide, sorted)
    if (options.earlier === undefined) return new SortedCorpus(this.#sql, state, wide, { ...sorted, readsOf })
    await this.#sql.settle(['read_selections', 'read_moves'])
    const rounds = options.earlier.map(({ round }) => round)
    const [selections, moves] = await Promise.all([
      this.#reads.of(readsOf, rounds),
      this.#reads.movesOf(readsOf, rounds),
    ])
    const conditions = selections.map(({ round, read }) => ({ read, statesAfter: state.after.get(round)! }))
    return new SortedCorpus(this.#sql, state, wide, { ...sorted, reads: { conditions, moves } })
  }

  async readRounds(run: string, by: 'conditions' | 'documents'): Promise<ReadonlySet<number>> {
    if (by === 'conditions') return new Set(await this.#reads.rounds(run))
    const rows = await this.#sql.query<{ round: number }>('SELECT DISTINCT round FROM reads WHERE run = {run:String}', {
      run,
    })
    return new Set(rows.map(({ round }) => round))
  }

  async addReadSelection(run: string, round: number, read: ReadSelection, view: ViewOptions): Promise<void> {
    const corpus = await this.view({ ...view, draws: true })
    if (!(corpus instanceof SortedCorpus)) throw new Error('a view for draws is of a sorted table')
    await this.#reads.add(run, round, read, await corpus.movesBy({ read, statesAfter: [] }))
  }

  async texts(ids: readonly DocumentId[]): Promise<Map<DocumentId, string>> {
    const texts = new Map<DocumentId, string>()
    const statement = `SELECT doc, text FROM documents WHERE ${amongIds}`
    for await (const { doc, text } of rowsOfIds<{ doc: string; text: string }>(this.#sql, statement, ids))
      texts.set(idOfRow(doc), text)
    return texts
  }

  async addReads(run: string, round: number, reads: AsyncIterable<ReadonlyMap<DocumentId, number>>): Promise<void> {
    for await (const counts of reads) {
      await this.#sql.insert(
        'reads',
        [...counts].map(([doc, times]) => ({ run, round, doc, times })),
      )
    }
  }

  /** Removes what a run's trainers have read: another run of that name starts with nothing read. */
  async forgetReads(run: string): Promise<void> {
    await this.#reads.forget(run)
    for (const table of ['reads', 'exposures', 'exposure_ids'])
      await this.#sql.command(`ALTER TABLE ${table} DELETE WHERE run = {run:String} SETTINGS mutations_sync = 2`, {
        run,
      })
  }
}

/** Characters per insert: long documents come compressed, so a batch may be many times as long as what Kafka sent. */
const insertCharactersMax = 32 * 1024 * 1024

function* inserts<Row extends { text: string; meta: string }>(rows: readonly Row[]): Generator<readonly Row[]> {
  let from = 0
  let characters = 0
  for (const [i, { text, meta }] of rows.entries()) {
    const length = text.length + meta.length
    if (i > from && characters + length > insertCharactersMax) {
      yield rows.slice(from, i)
      from = i
      characters = 0
    }
    characters += length
  }
  yield from === 0 ? rows : rows.slice(from)
}
