import { createHash, randomInt } from 'node:crypto'
import type { TopicOffset } from '../../../schemas/index.ts'
import type { ViewOptions } from '../../../topologies/corpus-store.ts'
import type { Group } from '../../../topologies/selection/groups.ts'
import { u64Max } from '../../../topologies/selection/u64.ts'
import type { Sql } from '../../runtime/clickhouse/sql.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { offsetColumns } from '../view-sql.ts'

/** What a table sorted for drawing holds, and as of which offsets. */
export type AsOf = Labels & Pick<ViewOptions, 'labelOffsets'>
export type Labels = Pick<ViewOptions, 'columns' | 'scored'>

export interface State {
  readonly state: number
  /** 0: none. */
  readonly parent: number
  /** As `offsetsText` writes them. */
  readonly offsets: string
  /** Of the state and all before it. */
  readonly documents: number
  /** Documents up to this id are in, null: none yet. Of a whole state the largest id. */
  readonly through: bigint | null
  /** Of a step: rows of the wide table that were, and in all will be, looked at. */
  readonly done: number
  readonly total: number
}

export const isWhole = ({ through }: State): boolean => through === u64Max

/** The recorded states and steps of one table sorted for drawing. They are only added to, so a copy may be old but not wrong. */
export class StateCatalog {
  readonly draw: string
  readonly #sql: Sql
  #states: Map<number, State> | undefined
  #refreshed: Promise<void> = Promise.resolve()
  readonly #cells = new Map<number, readonly Group[]>()

  constructor(sql: Sql, labels: Labels) {
    this.#sql = sql
    this.draw = drawName(labels)
  }

  get table(): string {
    return `draw_${this.draw}`
  }

  /** Reads again what others may have recorded, with all that it rests on. One after the other: an older look never replaces a newer one. */
  refresh(): Promise<void> {
    const next = this.#refreshed.then(() => this.#read())
    this.#refreshed = next.catch(() => {})
    return next
  }

  async #read(): Promise<void> {
    const ofDraw = { draw: this.draw }
    const before = new Set(this.#states?.keys())
    // In this order: whole states rest on steps that were recorded before them.
    const whole = await this.#sql.query<Record<'state' | 'parent', number> & Record<'offsets' | 'documents', string>>(
      'SELECT state, parent, offsets, documents FROM draw_states FINAL WHERE draw = {draw:String}',
      ofDraw,
    )
    const steps = await this.#sql.query<
      Record<'state' | 'parent', number> &
        Record<'offsets' | 'documents' | 'done' | 'total', string> & { through: string | null }
    >(
      'SELECT state, parent, offsets, documents, through, done, total FROM draw_builds FINAL WHERE draw = {draw:String}',
      ofDraw,
    )
    const read = new Map([
      ...steps.map(({ state, parent, offsets, through, ...counts }): [number, State] => [
        state,
        {
          ...{ state, parent, offsets, through: through === null ? null : BigInt(through) },
          ...{ documents: Number(counts.documents), done: Number(counts.done), total: Number(counts.total) },
        },
      ]),
      ...whole.map(({ documents, ...state }): [number, State] => [
        state.state,
        { ...state, documents: Number(documents), through: u64Max, done: 0, total: 0 },
      ]),
    ])
    // What was recorded here since the queries began is kept.
    const recorded = [...(this.#states ?? [])].filter(([state]) => !before.has(state))
    const known = new Map([...read, ...recorded])
    // A step that was read may rest on a whole state that was recorded after those were read: the next look has both.
    const resting = new Set([0])
    for (const state of known.keys()) {
      const chain: number[] = []
      let at: number | undefined = state
      for (; at !== undefined && !resting.has(at); at = known.get(at)?.parent) chain.push(at)
      if (at !== undefined) for (const one of chain) resting.add(one)
    }
    this.#states = new Map([...known].filter(([state]) => resting.has(state)))
  }

  async all(): Promise<readonly State[]> {
    if (this.#states === undefined) await this.refresh()
    return [...this.#states!.values()]
  }

  /**
   * Whether the table has all rows that its states brought, by its count of rows, which is read from no row.
   * @throws WinnowError GUARANTEE_VIOLATED if it has fewer: a selection would lack their documents
   */
  async requireRows(): Promise<void> {
    const all = await this.all()
    const before = ({ parent }: State) => this.#states!.get(parent)?.documents ?? 0
    const recorded = all.reduce((sum, state) => sum + state.documents - before(state), 0)
    const rows = await this.#sql.query<{ rows: string }>(`SELECT count() AS rows FROM ${this.table}`).then(
      ([row]) => Number(row!.rows),
      (error: Error) => {
        if (error.message.includes('UNKNOWN_TABLE')) return 0
        throw error
      },
    )
    if (rows < recorded) throw this.#incomplete(`it has ${rows} of the ${recorded} rows that its states brought`)
  }

  #incomplete(what: string): WinnowError {
    return new WinnowError('GUARANTEE_VIOLATED', `ClickHouse's table ${this.table} is not whole: ${what}`, {
      hint: 'Was a node lost, ClickHouse emptied, or restored in part? Once `corpus` is whole, have this table made again from it: docs/clickhouse.md, "A table that is not whole".',
    })
  }

  /**
   * The numbers of a state and of all before it, the latest first.
   * @throws WinnowError GUARANTEE_VIOLATED where one of them is not recorded any more: a selection would lack its documents
   */
  chainOf(last: State): number[] {
    return this.#chain(last).map(({ state }) => state)
  }

  /** The whole state that a step adds to; undefined: none, everything is looked at. */
  baseOf(step: State): State | undefined {
    return this.#chain(step).slice(1).find(isWhole)
  }

  #chain(last: State): State[] {
    const chain = [last]
    for (let { parent } = last; parent !== 0; parent = chain.at(-1)!.parent) {
      const before = this.#states?.get(parent)
      if (before === undefined)
        throw this.#incomplete(`state ${parent}, which state ${last.state} rests on, is not recorded any more`)
      chain.push(before)
    }
    return chain
  }

  /** A number of this attempt only; no selection depends on it. */
  newNumber(): number {
    for (;;) {
      const number = randomInt(1, 2 ** 32)
      if (this.#states?.has(number) !== true) return number
    }
  }

  /** Rows that carry its number count from now on. */
  async record(state: State): Promise<void> {
    const { done, total, through, ...recorded } = { draw: this.draw, ...state }
    if (isWhole(state)) await this.#sql.insert('draw_states', [recorded])
    else await this.#sql.insert('draw_builds', [{ ...recorded, through, done, total }])
    await this.#sql.settle(['draw_states', 'draw_builds'])
    this.#states?.set(state.state, state)
  }

  /** Documents that came with a state or step, by the counts that the inserts of its rows have kept. */
  async came(state: number): Promise<number> {
    const [row] = await this.#sql.query<{ documents: string }>(
      'SELECT sum(documents) AS documents FROM draw_cells WHERE draw = {draw:String} AND state = {state:UInt32}',
      { draw: this.draw, state },
    )
    return Number(row!.documents)
  }

  /** The groups of a state and of all before it, as `draw_cells` counts them. @throws WinnowError GUARANTEE_VIOLATED if it lacks some */
  async cellsOf(last: State): Promise<readonly Group[]> {
    const known = this.#cells.get(last.state)
    if (known !== undefined) return known
    const rows = await this.#sql.query<{ labels: number[]; documents: string; tokens: string }>(
      `SELECT labels, sum(documents) AS documents, sum(tokens) AS tokens FROM (
         SELECT labels, documents, tokens FROM draw_cells
         WHERE draw = {draw:String} AND state IN (${this.chainOf(last).join(', ')}))
       GROUP BY labels`,
      { draw: this.draw },
    )
    const cells = rows.map(({ labels, documents, tokens }) => ({
      labels,
      reads: 0,
      documents: Number(documents),
      tokens: Number(tokens),
    }))
    const counted = cells.reduce((sum, { documents }) => sum + documents, 0)
    if (counted !== last.documents)
      throw this.#incomplete(`draw_cells has ${counted} of the ${last.documents} documents of state ${last.state}`)
    this.#cells.set(last.state, cells)
    return cells
  }
}

/** Part of the names of tables: one that is laid out otherwise is another table. */
const layout = 2

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** For a set of actors and labeler versions, in configuration order, and those whose scores are kept. */
const drawName = ({ columns, scored = [] }: Labels): string =>
  digest(JSON.stringify({ layout, columns, ...(scored.length > 0 && { scored }) })).toString('hex', 0, 8)

/** The offsets relevant to these columns, in a fixed order. */
export function offsetsText({ columns, labelOffsets }: AsOf): string {
  const topics = new Set(offsetColumns({ columns }).map(({ topic }) => topic))
  const relevant = labelOffsets.filter(({ topic, offsetNext }) => topics.has(topic) && offsetNext > 0)
  relevant.sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1))
  return JSON.stringify(relevant.map(({ topic, partition, offsetNext }) => ({ topic, partition, offsetNext })))
}

export const offsetsOf = ({ offsets }: Pick<State, 'offsets'>): TopicOffset[] => JSON.parse(offsets) as TopicOffset[]

/** Whether no partition's offset has decreased. */
export function isNotBefore(now: readonly TopicOffset[], before: readonly TopicOffset[]): boolean {
  const offsets = new Map(now.map(({ topic, partition, offsetNext }) => [`${topic}[${partition}]`, offsetNext]))
  return before.every(({ topic, partition, offsetNext }) => (offsets.get(`${topic}[${partition}]`) ?? 0) >= offsetNext)
}
