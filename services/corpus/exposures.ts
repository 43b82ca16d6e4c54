import type { DocumentId } from '../../schemas/index.ts'
import type { LabelColumn } from '../../topologies/corpus-store.ts'
import type { Edge } from '../../topologies/exposure/account.ts'
import type { Sql } from '../runtime/clickhouse/sql.ts'
import { columnNames, firstInLog } from './columns.ts'

/** How much of a round's selection was read: the whole of it `timesAll` times, and its first `oncemore` documents once more. */
export interface ReadOfRound {
  readonly round: number
  readonly timesAll: number
  readonly onceMore: number
}

/** Readings with something in common. */
export interface Readings {
  /** Each as often as it was read. */
  readonly documents: number
  /** With an end for each. */
  readonly tokens: number
}

const rowBytesMax = (run: Buffer): number => 1 + run.length + 4 + 8 + 8

/** What trainers have read, in ClickHouse (schemas/clickhouse/007_exposures.sql). Every write may be repeated. */
export class Exposures {
  readonly #sql: Sql
  readonly #run: string

  constructor(sql: Sql, run: string) {
    this.#sql = sql
    this.#run = run
  }

  /** How many documents of each round's selection are there. */
  async counts(): Promise<Map<number, number>> {
    const rows = await this.#sql.query<{ round: number; documents: string }>(
      'SELECT round, count() AS documents FROM exposures FINAL WHERE run = {run:String} GROUP BY round',
      { run: this.#run },
    )
    return new Map(rows.map(({ round, documents }) => [round, Number(documents)]))
  }

  /** Adds a page of a round's selection: its documents from `index` on. @param columns labels that the round selected by */
  async add(round: number, index: number, ids: readonly DocumentId[], columns: readonly LabelColumn[]): Promise<void> {
    await this.#sql.insertBinary('exposure_ids', ['run', 'round', 'idx', 'doc'], this.#rows(round, index, ids))
    const labels = columns.map((column) => {
      const { label, at } = columnNames(column)
      return `ifNull(${firstInLog(label, at)}, 65535)`
    })
    const page = 'run = {run:String} AND round = {round:UInt32} AND idx >= {from:UInt64} AND idx < {to:UInt64}'
    await this.#sql.settle(['exposure_ids', 'corpus'])
    await this.#sql.command(
      `INSERT INTO exposures SELECT {run:String} AS run, toUInt32({round:UInt32}) AS round, page.idx AS idx, page.doc AS doc, found.size AS tokens, found.labels AS labels
       FROM (SELECT doc, max(tokens) AS size, CAST([${labels.join(', ')}], 'Array(UInt16)') AS labels FROM corpus
             WHERE doc IN (SELECT doc FROM exposure_ids WHERE ${page}) GROUP BY doc) AS found
       JOIN (SELECT DISTINCT idx, doc FROM exposure_ids WHERE ${page}) AS page ON found.doc = page.doc`,
      { run: this.#run, round, from: index, to: index + ids.length },
    )
    await this.#sql.settle(['exposures'])
  }

  /** RowBinary: run String, round UInt32, idx UInt64, doc UInt64. */
  #rows(round: number, index: number, ids: readonly DocumentId[]): Buffer {
    const run = Buffer.from(this.#run)
    const bytes = Buffer.alloc(ids.length * rowBytesMax(run))
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let at = 0
    for (const [i, id] of ids.entries()) {
      // Names of runs are shorter than 128 bytes: their length has one.
      view.setUint8(at, run.length)
      bytes.set(run, at + 1)
      at += 1 + run.length
      view.setUint32(at, round, true)
      view.setBigUint64(at + 4, BigInt(index + i), true)
      view.setBigUint64(at + 12, id, true)
      at += 20
    }
    return bytes
  }

  /** By round and labels, in the order of the round's actors. */
  async byCell(reads: readonly ReadOfRound[]): Promise<(Readings & { round: number; labels: number[] })[]> {
    const rows = await this.#sql.query<Row & { round: number; labels: number[] }>(
      `SELECT round, labels, ${sums} FROM (${this.read(reads)}) GROUP BY round, labels`,
      { run: this.#run },
    )
    return rows.map((row) => ({ ...readings(row), round: row.round, labels: row.labels }))
  }

  /** By source, by its number. */
  async bySource(reads: readonly ReadOfRound[]): Promise<(Readings & { source: number })[]> {
    const rows = await this.#sql.query<Row & { source: string }>(
      `SELECT bitShiftRight(doc, 40) AS source, ${sums} FROM (${this.read(reads)}) GROUP BY source`,
      { run: this.#run },
    )
    return rows.map((row) => ({ ...readings(row), source: Number(row.source) }))
  }

  /** How many documents were read once, twice, and so on: `documents` counts each once. */
  async byTimes(reads: readonly ReadOfRound[]): Promise<{ times: number; documents: number }[]> {
    const rows = await this.#sql.query<{ times: string; documents: string }>(
      `SELECT read AS times, count() AS documents FROM (SELECT doc, sum(times) AS read FROM (${this.read(reads)}) GROUP BY doc) GROUP BY read ORDER BY read`,
      { run: this.#run },
    )
    return rows.map(({ times, documents }) => ({ times: Number(times), documents: Number(documents) }))
  }

  /** Single documents of a round's selection. */
  async at(round: number, indexes: readonly number[]): Promise<(Edge & { doc: bigint; labels: number[] })[]> {
    const rows = await this.#sql.query<{ idx: string; doc: string; tokens: string; labels: number[] }>(
      `SELECT idx, doc, tokens, labels FROM exposures FINAL
       WHERE run = {run:String} AND round = {round:UInt32} AND idx IN (SELECT arrayJoin({indexes:Array(UInt64)}))`,
      { run: this.#run, round, indexes },
    )
    return rows.map(({ idx, doc, tokens, labels }) => ({
      ...{ index: Number(idx), doc: BigInt(doc), tokens: Number(tokens), labels },
    }))
  }

  /** A statement for the documents that were read: round, doc, tokens, labels, times; its parameter is the run. */
  read(reads: readonly ReadOfRound[]): string {
    const rounds = reads.map(({ round }) => round)
    const of = (values: readonly number[]) => `transform(round, [${rounds.join(', ')}], [${values.join(', ')}], 0)`
    const timesAll = of(reads.map((read) => read.timesAll))
    const onceMore = of(reads.map((read) => read.onceMore))
    return `SELECT round, doc, tokens, labels, toUInt64(${timesAll} + (idx < ${onceMore})) AS times FROM exposures FINAL
      WHERE run = {run:String} AND round IN (${rounds.join(', ')}) AND times > 0`
  }
}

interface Row {
  readonly documents: string
  readonly tokens: string
}

const sums = 'sum(times) AS documents, sum(times * (tokens + 1)) AS tokens'

const readings = ({ documents, tokens }: Row): Readings => ({ documents: Number(documents), tokens: Number(tokens) })
