import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ClickHouseStore } from '../../../../services/corpus/clickhouse-store.ts'
import { type ClickHouse, createClickHouse } from '../../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../../services/runtime/clickhouse/migrate.ts'
import { Sql, type SqlParameters } from '../../../../services/runtime/clickhouse/sql.ts'
import type { ViewOptions } from '../../../../topologies/corpus-store.ts'
import { parseSelectionConfig } from '../../../../topologies/selection/config.ts'
import { select } from '../../../../topologies/selection/select.ts'
import { seedOf } from '../../../../topologies/selection/u64.ts'
import { addDocuments, asOf, column, tokensOf } from './one-actor.ts'

const documents = 3000

/** Statements that were sent, in order. Can fail a chosen one, as a kill before it would. */
class WatchedSql extends Sql {
  readonly statements: string[] = []
  failAt: (statement: string) => boolean = () => false

  #note(statement: string): void {
    if (this.failAt(statement)) throw new Error('killed')
    this.statements.push(statement)
  }

  override async query<Row>(sql: string, parameters: SqlParameters = {}): Promise<Row[]> {
    this.#note(sql)
    return await super.query<Row>(sql, parameters)
  }

  override async *ids(sql: string, parameters: SqlParameters = {}): AsyncGenerator<BigUint64Array> {
    this.#note(sql)
    yield* super.ids(sql, parameters)
  }

  override async command(sql: string, parameters: SqlParameters = {}): Promise<void> {
    this.#note(sql)
    await super.command(sql, parameters)
  }

  override async insert<Row extends object>(table: string, rows: readonly Row[]): Promise<void> {
    this.#note(`INSERT INTO ${table}`)
    await super.insert(table, rows)
  }
}

let folder: string
let clickHouse: ClickHouse
const watched = () => {
  const sql = new WatchedSql(clickHouse.sql.client)
  return { sql, store: new ClickHouseStore(sql, { rowsPerStep: 500 }) }
}

const add = (first: number, count: number) => addDocuments(clickHouse.sql, first, count)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'winnow-build-'))
  clickHouse = await createClickHouse({ url: `chdb:${folder}` })
  await migrate(clickHouse.sql)
  await add(0, documents)
})
afterAll(async () => {
  await clickHouse.close()
  rmSync(folder, { recursive: true })
})

async function prepared(store: ClickHouseStore, n: number, more: Partial<ViewOptions> = {}): Promise<void> {
  while ((await store.prepare({ ...asOf(n), ...more })) !== undefined) await sleep(5)
}

const counted = async (store: ClickHouseStore, n: number) =>
  (await (await store.view(asOf(n))).groups())
    .map(({ labels, documents: held, tokens }) => `${labels}: ${held}, ${tokens}`)
    .sort()

const expected = (n: number) =>
  [0, 1, 2, 3].map((label) => {
    const held = Array.from({ length: n }, (_, i) => i).filter((i) => i % 4 === label)
    return `${label}: ${held.length}, ${held.reduce((sum, i) => sum + tokensOf(i), 0)}`
  })

/** Cut off at each kind of effect: nothing of what was recorded is done again, and nothing is counted twice. */
const cuts = ['INSERT INTO draw_builds', 'INSERT INTO draw_states', 'INSERT INTO draw_', 'FROM draw_cells']

describe('a build of the corpus for draws', () => {
  test('that is cut off anywhere goes on after its last step, by whichever process, and holds each document once', async () => {
    let done = 0
    for (const [i, at] of [...cuts, ...cuts].entries()) {
      const { sql, store } = watched()
      let passed = 0
      sql.failAt = (statement) => statement.includes(at) && ++passed > 1 + (i % 2)
      const broken = await prepared(store, documents).then(
        () => undefined,
        (error: Error) => error.message,
      )
      if (broken !== undefined) expect(broken).toBe('killed')
      const left = await new ClickHouseStore(clickHouse.sql).preparing({ columns: [column] })
      expect(left?.done ?? documents * 2).toBeGreaterThanOrEqual(done)
      done = left?.done ?? documents * 2
      if (left !== undefined) expect(left.total).toBeGreaterThanOrEqual(documents)
    }
    const { store } = watched()
    await prepared(store, documents)
    expect(await store.preparing({ columns: [column] })).toBeUndefined()
    expect(await counted(store, documents)).toEqual(expected(documents))
    expect(await counted(store, 1234)).toEqual(expected(1234))
  })

  test('that grows by what came goes in steps as well, and is finished before a later one begins', async () => {
    await add(documents, 2000)
    const { sql, store } = watched()
    let steps = 0
    sql.failAt = (statement) => statement.startsWith('INSERT INTO draw_builds') && ++steps > 2
    await expect(prepared(store, documents + 1800)).rejects.toThrow('killed')
    const next = watched()
    await prepared(next.store, documents + 2000)
    expect(await counted(next.store, documents + 2000)).toEqual(expected(documents + 2000))
    expect(await counted(next.store, documents + 1800)).toEqual(expected(documents + 1800))
    // What the first one had looked at was not looked at again.
    expect(next.sql.statements.filter((one) => one.startsWith('INSERT INTO draw_builds')).length).toBeLessThan(8)
  })

  test('is told once if it fails, and is then begun again', async () => {
    await add(documents + 2000, 10)
    const { sql, store } = watched()
    sql.failAt = (statement) => statement.includes('GROUP BY doc')
    await expect(store.prepare(asOf(documents + 2010))).rejects.toThrow('killed')
    sql.failAt = () => false
    await prepared(store, documents + 2010)
    expect(await counted(store, documents + 2010)).toEqual(expected(documents + 2010))
  })
})

describe('a round', () => {
  test('once the corpus is prepared for it, reads no row of the wide table', async () => {
    const sql = new WatchedSql(clickHouse.sql.client)
    const store = new ClickHouseStore(sql, { scannedMax: 0 })
    const scored = [0]
    await prepared(store, documents, { scored })
    const from = sql.statements.length
    const corpus = await store.view({ ...asOf(documents), scored })
    await corpus.groups()
    await corpus.samples(0, seedOf(1, 1, 'sample:topic'), 10)
    const score = { kind: 'label', actor: 'topic', standardize: 'corpus' }
    const pool = [{ actor: 'topic', quantiles: [0.1, 1] }]
    for (const given of [
      { budget: { documents: 100 } },
      { budget: { tokens: 777 } },
      { budget: { documents: 100 }, strategy: { sampler: { kind: 'gumbel', temperature: 1 } } },
      { budget: { documents: 100 }, strategy: { pool, score, sampler: { kind: 'gumbel', temperature: 1 } } },
    ]) {
      const config = parseSelectionConfig({
        seed: 1,
        actors: { topic: { subcategories: ['a', 'b', 'c', 'd'] } },
        ...given,
      })
      for await (const _ of (await select(corpus, config, 1, [[0.1, 0.4, 0.3, 0.2]], [1])).ids) {
        // Only as they come.
      }
    }
    const sent = sql.statements.slice(from)
    expect(sent.length).toBeGreaterThan(5)
    expect(sent.filter((one) => /\bcorpus\b/.test(one) || /\bdraw_[0-9a-f]{16}\s+FINAL\b/.test(one))).toEqual([])
  })
})
