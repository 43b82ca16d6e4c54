import type { Preparing } from '../../../topologies/corpus-store.ts'
import { u64Max } from '../../../topologies/selection/u64.ts'
import type { Sql } from '../../runtime/clickhouse/sql.ts'
import { failpoint } from '../../runtime/failpoints.ts'
import { columnNames } from '../columns.ts'
import { placeSql } from '../key-sql.ts'
import { limitsOf, standsBefore } from '../view-sql.ts'
import { type AsOf, isNotBefore, isWhole, offsetsOf, offsetsText, type State, type StateCatalog } from './catalog.ts'
import { cameSince, newcomersSql } from './newcomers-sql.ts'

/** Rows of the wide table that a step looks at: some seconds of work, and so much is lost by a kill. */
export const rowsPerStepDefault = 8_000_000

/** Short ranges in many small parts are slow to read: about 200 MB per part. */
const rowsPerPart = 8_000_000

/**
 * Builds states of the corpus (schemas/clickhouse/002_draw.sql, 003_builds.sql): copies the documents that came since an earlier state into the
 * table sorted for drawing, in steps by document id. A step counts once it is recorded, and marks its rows with a number of its own: rows of a
 * killed attempt are never read, a later attempt goes on after the last recorded step, and concurrent attempts do not disturb each other.
 */
export class StateBuild {
  readonly #sql: Sql
  readonly #catalog: StateCatalog
  readonly #rowsPerStep: number

  constructor(sql: Sql, catalog: StateCatalog, rowsPerStep: number = rowsPerStepDefault) {
    this.#sql = sql
    this.#catalog = catalog
    this.#rowsPerStep = rowsPerStep
  }

  /**
   * The whole state of these offsets. What an earlier build has begun is finished first.
   * @param within a state that it must contain
   * @returns the state before it if no document came between the two; undefined if there is no document
   */
  async run(
    asOf: AsOf,
    within: State | undefined,
    tell: (preparing: Preparing) => void = () => {},
  ): Promise<State | undefined> {
    await this.#createTable(asOf)
    await this.#sql.settle(['corpus', 'draw_states', 'draw_builds'])
    await this.#catalog.refresh()
    const { begun, base } = await this.#startOf(asOf, within)
    if (begun === undefined) return await this.#steps(asOf, base, undefined, tell)
    const begunAsOf = { ...asOf, labelOffsets: offsetsOf(begun) }
    const finished = await this.#steps(begunAsOf, this.#catalog.baseOf(begun), begun, tell)
    if (begun.offsets === offsetsText(asOf)) return finished
    return await this.#steps(asOf, finished, undefined, tell)
  }

  /** The largest whole state that the new one can add to, and a larger build that was cut off on the way. */
  async #startOf(
    asOf: AsOf,
    within: State | undefined,
  ): Promise<{ begun: State | undefined; base: State | undefined }> {
    const all = await this.#catalog.all()
    const usable = all
      .filter((one) => isNotBefore(asOf.labelOffsets, offsetsOf(one)))
      .filter((one) => within === undefined || this.#catalog.chainOf(one).includes(within.state))
      .sort((a, b) => b.documents - a.documents || b.done - a.done || b.state - a.state)
    const base = usable.find(isWhole)
    const wholeOffsets = new Set(usable.filter(isWhole).map(({ offsets }) => offsets))
    const begun = usable.find(
      (one) => !isWhole(one) && !wholeOffsets.has(one.offsets) && one.documents > (base?.documents ?? -1),
    )
    return { begun, base }
  }

  async #steps(
    asOf: AsOf,
    base: State | undefined,
    begun: State | undefined,
    tell: (preparing: Preparing) => void,
  ): Promise<State | undefined> {
    let last = begun ?? base
    let progress = begun ?? { through: null, done: 0, total: 0 }
    for (;;) {
      const first = progress.through === null ? 0n : progress.through + 1n
      const through = await this.#endOfStep(asOf, base, first)
      if (through !== u64Max && progress.total === 0) {
        progress = { ...progress, total: await this.#rowsIn(asOf, base) }
        tell(progress)
      }
      const state = this.#catalog.newNumber()
      await this.#fill(state, asOf, base, first, through)
      await this.#sql.settle([this.#catalog.table, 'draw_cells'])
      failpoint('store after rows of a step')
      const came = await this.#catalog.came(state)
      const whole = through === u64Max
      // An empty state is not worth a record: the one before it holds the same documents.
      if (whole && came === 0 && (last === undefined || isWhole(last))) return last
      const documents = came + (last?.documents ?? 0)
      const done = progress.done + this.#rowsPerStep
      const recorded = {
        ...{ state, parent: last?.state ?? 0, offsets: offsetsText(asOf), documents, through },
        ...{ done, total: progress.total },
      }
      await this.#catalog.record(recorded)
      failpoint('store after a step')
      if (whole) return recorded
      tell(recorded)
      last = recorded
      progress = recorded
    }
  }

  async #createTable({ columns, scored = [] }: AsOf): Promise<void> {
    const { draw, table } = this.#catalog
    const cell = columns.map((_, i) => `l${i}`)
    await this.#sql.command(
      `CREATE TABLE IF NOT EXISTS ${table} (
         ${cell.map((label) => `${label} UInt16`).join(', ')},
         place UInt64 CODEC(Delta, ZSTD), tokens UInt64 CODEC(T64, ZSTD), state UInt32 CODEC(ZSTD)${scored.map((a) => `, s${a} Float64 CODEC(ZSTD)`).join('')}
       ) ENGINE = MergeTree ORDER BY (${[...cell, 'place'].join(', ')})
       SETTINGS index_granularity = 512`,
    )
    await this.#sql.command(
      `CREATE MATERIALIZED VIEW IF NOT EXISTS ${table}_cells TO draw_cells AS
         SELECT {draw:String} AS draw, state, CAST([${cell.join(', ')}], 'Array(UInt16)') AS labels, count() AS documents, sum(tokens) AS tokens
         FROM ${table} GROUP BY state, ${cell.join(', ')}`,
      { draw },
    )
  }

  /** The id up to which the step from `first` on goes. */
  async #endOfStep(asOf: AsOf, base: State | undefined, first: bigint): Promise<bigint> {
    const { where, parameters } = cameSince(asOf, base)
    const [row] = await this.#sql.query<{ doc: string }>(
      `SELECT doc FROM corpus WHERE doc >= {first:UInt64} AND ${where} ORDER BY doc LIMIT 1 OFFSET {rows:UInt64}`,
      { ...parameters, first, rows: this.#rowsPerStep },
    )
    return row === undefined ? u64Max : BigInt(row.doc)
  }

  async #rowsIn(asOf: AsOf, base: State | undefined): Promise<number> {
    const { where, parameters } = cameSince(asOf, base)
    const [row] = await this.#sql.query<{ rows: string }>(
      `SELECT count() AS rows FROM corpus WHERE ${where}`,
      parameters,
    )
    return Number(row!.rows)
  }

  /** The documents of a range of ids that the state holds and its base does not, found by the offsets of their records. */
  async #fill(state: number, asOf: AsOf, base: State | undefined, first: bigint, through: bigint): Promise<void> {
    const inStep = 'doc BETWEEN {first:UInt64} AND {through:UInt64}'
    const { where, parameters } = cameSince(asOf, base)
    const rows =
      base === undefined
        ? `corpus FINAL WHERE ${inStep} AND ${standsBefore(asOf, 'limits')}`
        : newcomersSql(asOf, inStep, where)
    const labels = asOf.columns.map((column, i) => `assumeNotNull(${columnNames(column).label}) AS l${i}`)
    const scores = (asOf.scored ?? []).map((a) => `, assumeNotNull(${columnNames(asOf.columns[a]!).score}) AS s${a}`)
    await this.#sql.command(
      `INSERT INTO ${this.#catalog.table} SELECT ${labels.join(', ')}, ${placeSql('doc', 'p')} AS place, tokens, ${state} AS state${scores.join('')}
       FROM ${rows} SETTINGS min_insert_block_size_rows = ${rowsPerPart}, optimize_aggregation_in_order = 1`,
      { ...limitsOf(asOf, 'limits'), ...parameters, first, through },
    )
  }
}
