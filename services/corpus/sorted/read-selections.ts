import type { ReadMove, ReadSelection } from '../../../topologies/selection/read-selection.ts'
import type { Seed } from '../../../topologies/selection/u64.ts'
import type { Sql } from '../../runtime/clickhouse/sql.ts'

/** What runs have read of their selections, as recorded (schemas/clickhouse/004_read_selections.sql). */
export class ReadSelections {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Those of which the tables have everything: what they have lost is recorded again from the log. */
  async rounds(run: string): Promise<number[]> {
    const rows = await this.#sql.query<{ round: number; moves: string }>(
      "SELECT round, JSONExtractRaw(condition, 'moves') AS moves FROM read_selections FINAL WHERE run = {run:String}",
      { run },
    )
    const counted = await this.#sql.query<{ round: number; moves: string }>(
      'SELECT round, count() AS moves FROM read_moves FINAL WHERE run = {run:String} GROUP BY round',
      { run },
    )
    const kept = new Map(counted.map(({ round, moves }) => [round, moves]))
    // Earlier versions did not count them.
    return rows
      .filter(({ round, moves }) => moves === '' || moves === (kept.get(round) ?? '0'))
      .map(({ round }) => round)
  }

  /** Of these rounds, ascending. */
  async of(run: string, rounds: readonly number[]): Promise<{ round: number; read: ReadSelection }[]> {
    const rows = await this.#sql.query<{ round: number; condition: string }>(
      `SELECT round, condition FROM read_selections FINAL
       WHERE run = {run:String} AND round IN (SELECT arrayJoin({rounds:Array(UInt32)})) ORDER BY round`,
      { run, rounds },
    )
    return rows.map(({ round, condition }) => ({ round, read: parsed(condition) }))
  }

  async movesOf(run: string, rounds: readonly number[]): Promise<ReadMove[]> {
    const rows = await this.#sql.query<Record<Exclude<keyof ReadMove, 'labels'>, string> & { labels: number[] }>(
      `SELECT labels, readsBefore, readsAfter, documents, tokens FROM read_moves FINAL
       WHERE run = {run:String} AND round IN (SELECT arrayJoin({rounds:Array(UInt32)})) ORDER BY round`,
      { run, rounds },
    )
    return rows.map(({ labels, readsBefore, readsAfter, documents, tokens }) => ({
      ...{ labels, readsBefore: Number(readsBefore), readsAfter: Number(readsAfter) },
      ...{ documents: Number(documents), tokens: Number(tokens) },
    }))
  }

  async add(run: string, round: number, read: ReadSelection, moves: readonly ReadMove[]): Promise<void> {
    await this.#sql.insert(
      'read_moves',
      moves.map((move) => ({ run, round, ...move })),
    )
    const condition = JSON.stringify({ ...read, moves: moves.length }, bigintAsText)
    await this.#sql.insert('read_selections', [{ run, round, condition }])
  }

  async forget(run: string): Promise<void> {
    for (const table of ['read_selections', 'read_moves'])
      await this.#sql.command(`ALTER TABLE ${table} DELETE WHERE run = {run:String} SETTINGS mutations_sync = 1`, {
        run,
      })
  }
}

const bigintAsText = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}` : value)

type Recorded = Omit<ReadSelection, 'groups' | 'selectSeed' | 'orderSeed' | 'orderKeyLast'> & {
  groups: (Omit<ReadSelection['groups'][number], 'keyLast'> & { keyLast: string | null })[]
  selectSeed: string
  orderSeed: string
  orderKeyLast: string | null
  moves?: number
}

function parsed(condition: string): ReadSelection {
  const { groups, selectSeed, orderSeed, orderKeyLast, moves: _, ...rest } = JSON.parse(condition) as Recorded
  return {
    ...rest,
    groups: groups.map((group) => ({ ...group, keyLast: group.keyLast === null ? null : BigInt(group.keyLast) })),
    selectSeed: BigInt(selectSeed) as Seed,
    orderSeed: BigInt(orderSeed) as Seed,
    orderKeyLast: orderKeyLast === null ? null : BigInt(orderKeyLast),
  }
}
