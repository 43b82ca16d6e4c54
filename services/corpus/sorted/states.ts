import { createHash, randomInt } from 'node:crypto'
import type { TopicOffset } from '../../../schemas/index.ts'
import type { ViewOptions } from '../../../topologies/corpus-store.ts'
import type { Group } from '../../../topologies/selection/groups.ts'
import type { Sql } from '../../runtime/clickhouse/sql.ts'
import { columnNames } from '../columns.ts'
import { placeSql } from '../key-sql.ts'
import { limitOf, limitsOf, offsetColumns, standsBefore } from '../view-sql.ts'

type AsOf = Pick<ViewOptions, 'columns' | 'labelOffsets'>

interface State {
  readonly state: number
  /** 0: none. */
  readonly parent: number
  readonly offsets: readonly TopicOffset[]
  readonly documents: number
}

/** The corpus as of given offsets: the rows of a table that are marked with these states. */
export interface SortedState {
  readonly table: string
  readonly states: readonly number[]
  readonly cells: readonly Group[]
}

/**
 * States of the corpus in tables sorted by (cell, place) (schemas/clickhouse/002_draw.sql). A document enters once for all later rounds, since
 * labels never change and offsets are taken only after everything before them has been added: what takes part in a state takes part in all
 * later ones, in the same cell. Rows count once their state is recorded, and each attempt marks its rows with its own number: rows of a killed
 * attempt are never read, and concurrent attempts do not disturb each other.
 */
export class SortedStates {
  readonly #sql: Sql
  readonly #known = new Map<string, Map<number, State>>()
  readonly #cells = new Map<number, readonly Group[]>()

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** The state of exactly these offsets; undefined if there is none. */
  async find({ columns, labelOffsets }: AsOf): Promise<SortedState | undefined> {
    const draw = drawName(columns)
    const offsets = offsetsText(columns, labelOffsets)
    const among = (states: Map<number, State>) => [...states.values()].find((one) => textOf(one.offsets) === offsets)
    let found = among(await this.#states(draw))
    if (found === undefined) {
      // Another process may have made it since.
      this.#known.delete(draw)
      found = among(await this.#states(draw))
    }
    return found && (await this.#whole(draw, found))
  }

  /** The state of these offsets, created if missing. The first one for a set of actors reads the whole corpus. */
  async make(asOf: AsOf): Promise<SortedState> {
    const found = await this.find(asOf)
    if (found !== undefined) return found
    const draw = drawName(asOf.columns)
    const states = await this.#states(draw)
    const before = [...states.values()].filter(({ offsets }) => isNotBefore(asOf.labelOffsets, offsets))
    const parent = before.sort((a, b) => b.documents - a.documents || b.state - a.state)[0]
    const offsets = offsetsText(asOf.columns, asOf.labelOffsets)
    const state = newNumber(states)
    await this.#createTable(draw, asOf)
    await this.#fill(draw, state, asOf, parent)
    const came = await this.#count(draw, state, asOf.columns.length)
    // An empty state is not worth a record: the parent holds the same documents.
    if (came === 0 && parent !== undefined) return await this.#whole(draw, parent)
    const documents = came + (parent?.documents ?? 0)
    await this.#sql.insert('draw_states', [{ draw, state, parent: parent?.state ?? 0, offsets, documents }])
    this.#known.delete(draw)
    return await this.#whole(draw, (await this.#states(draw)).get(state)!)
  }

  async #createTable(draw: string, { columns }: AsOf): Promise<void> {
    const cell = columns.map((_, i) => `l${i}`)
    await this.#sql.command(
      `CREATE TABLE IF NOT EXISTS draw_${draw} (
         ${cell.map((label) => `${label} UInt16`).join(', ')},
         place UInt64 CODEC(Delta, ZSTD), tokens UInt64 CODEC(T64, ZSTD), state UInt32 CODEC(ZSTD)
       ) ENGINE = MergeTree ORDER BY (${[...cell, 'place'].join(', ')})
       SETTINGS index_granularity = 512`,
    )
  }

  /** The documents that the state holds and its parent does not, found by the offsets of their records. */
  async #fill(draw: string, state: number, asOf: AsOf, parent: State | undefined): Promise<void> {
    const conditions = [standsBefore(asOf, 'limits')]
    let parameters = limitsOf(asOf, 'limits')
    if (parent !== undefined) {
      const before = { columns: asOf.columns, labelOffsets: parent.offsets }
      const recent = offsetColumns(asOf).map(
        ({ at }, i) => `(${at} >= ${limitOf('before', i)} AND ${at} < ${limitOf('limits', i)})`,
      )
      conditions.push(`doc IN (SELECT doc FROM corpus WHERE ${recent.join(' OR ')})`)
      conditions.push(`NOT (${standsBefore(before, 'before')})`)
      parameters = { ...parameters, ...limitsOf(before, 'before') }
    }
    const labels = asOf.columns.map((column, i) => `assumeNotNull(${columnNames(column).label}) AS l${i}`)
    await this.#sql.command(
      `INSERT INTO draw_${draw} SELECT ${labels.join(', ')}, ${placeSql('doc', 'p')} AS place, tokens, ${state} AS state
       FROM corpus FINAL WHERE ${conditions.join(' AND ')} SETTINGS min_insert_block_size_rows = ${rowsPerPart}`,
      parameters,
    )
  }

  async #count(draw: string, state: number, actors: number): Promise<number> {
    const cell = Array.from({ length: actors }, (_, i) => `l${i}`).join(', ')
    await this.#sql.command(
      `INSERT INTO draw_counts SELECT {draw:String} AS draw, state, CAST([${cell}], 'Array(UInt16)') AS labels, count() AS documents,
         sum(tokens) AS tokens FROM draw_${draw} WHERE state = ${state} GROUP BY state, ${cell}`,
      { draw },
    )
    const [row] = await this.#sql.query<{ documents: string }>(
      `SELECT count() AS documents FROM draw_${draw} WHERE state = ${state}`,
    )
    return Number(row!.documents)
  }

  async #whole(draw: string, last: State): Promise<SortedState> {
    const states = await this.#states(draw)
    const chain: number[] = []
    for (let at: State | undefined = last; at !== undefined; at = states.get(at.parent)) chain.push(at.state)
    const cells = this.#cells.get(last.state) ?? (await this.#counted(draw, chain))
    this.#cells.set(last.state, cells)
    return { table: `draw_${draw}`, states: chain, cells }
  }

  async #counted(draw: string, states: readonly number[]): Promise<Group[]> {
    const rows = await this.#sql.query<{ labels: number[]; documents: string; tokens: string }>(
      `SELECT labels, sum(documents) AS documents, sum(tokens) AS tokens FROM (
         SELECT labels, documents, tokens FROM draw_counts FINAL WHERE draw = {draw:String} AND state IN (${states.join(', ')}))
       GROUP BY labels`,
      { draw },
    )
    return rows.map(({ labels, documents, tokens }) => ({
      labels,
      reads: 0,
      documents: Number(documents),
      tokens: Number(tokens),
    }))
  }

  async #states(draw: string): Promise<Map<number, State>> {
    const known = this.#known.get(draw)
    if (known !== undefined) return known
    const rows = await this.#sql.query<{ state: number; parent: number; offsets: string; documents: string }>(
      'SELECT state, parent, offsets, documents FROM draw_states FINAL WHERE draw = {draw:String}',
      { draw },
    )
    const states = new Map(
      rows.map(({ state, parent, offsets, documents }) => [
        state,
        { state, parent, offsets: JSON.parse(offsets) as TopicOffset[], documents: Number(documents) },
      ]),
    )
    this.#known.set(draw, states)
    return states
  }
}

/** Short ranges in many small parts are slow to read: about 200 MB per part. */
const rowsPerPart = 8_000_000

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** For a set of actors and labeler versions, in configuration order. */
const drawName = (columns: AsOf['columns']): string => digest(JSON.stringify(columns)).toString('hex', 0, 8)

/** Of this attempt only; no selection depends on it. */
function newNumber(taken: ReadonlyMap<number, State>): number {
  for (;;) {
    const number = randomInt(1, 2 ** 32)
    if (!taken.has(number)) return number
  }
}

const textOf = (offsets: readonly TopicOffset[]): string => JSON.stringify(offsets)

/** The offsets relevant to these columns, in a fixed order. */
function offsetsText(columns: AsOf['columns'], offsets: readonly TopicOffset[]): string {
  const topics = new Set(offsetColumns({ columns }).map(({ topic }) => topic))
  const relevant = offsets.filter(({ topic, offsetNext }) => topics.has(topic) && offsetNext > 0)
  relevant.sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1))
  return textOf(relevant.map(({ topic, partition, offsetNext }) => ({ topic, partition, offsetNext })))
}

/** Whether no partition's offset has decreased. */
function isNotBefore(now: readonly TopicOffset[], before: readonly TopicOffset[]): boolean {
  const offsets = new Map(now.map(({ topic, partition, offsetNext }) => [`${topic}[${partition}]`, offsetNext]))
  return before.every(({ topic, partition, offsetNext }) => (offsets.get(`${topic}[${partition}]`) ?? 0) >= offsetNext)
}
