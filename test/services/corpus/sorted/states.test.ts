import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asDocumentId, type TopicOffset, topics } from '../../../../schemas/index.ts'
import { ClickHouseStore } from '../../../../services/corpus/clickhouse-store.ts'
import { type ClickHouse, createClickHouse } from '../../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../../services/runtime/clickhouse/migrate.ts'
import type { CorpusStore } from '../../../../topologies/corpus-store.ts'
import { MemoryStore } from '../../../../topologies/memory-store.ts'
import { parseSelectionConfig } from '../../../../topologies/selection/config.ts'
import { select } from '../../../../topologies/selection/select.ts'
import { seedOf, splitmix64 } from '../../../../topologies/selection/u64.ts'

const columns = [
  { actor: 'quality', version: 'v1', topic: 'winnow.labels.quality' },
  { actor: 'topic', version: 'v1', topic: 'winnow.labels.topic' },
]
const partitions = 2
const documents = 300
const inputs = [topics.documents.name, ...columns.map(({ topic }) => topic)]
/** Pseudo-random and the same every time. */
const draw = (n: number, salt: number, below: number) => Number(splitmix64(BigInt(n * 31 + salt)) % BigInt(below))

const folder = mkdtempSync(join(tmpdir(), 'winnow-histogram-'))
let clickHouse: ClickHouse
beforeAll(async () => {
  clickHouse = await createClickHouse({ url: `chdb:${folder}` })
  await migrate(clickHouse.sql)
})
afterAll(async () => {
  await clickHouse.close()
  rmSync(folder, { recursive: true })
})

/** Record `n` of an input is at offset n / partitions of partition n % partitions; input i has them in an order of its own. */
const orders = inputs.map((_, i) =>
  Array.from({ length: documents }, (_, n) => n).sort((a, b) => draw(a, i, 1000) - draw(b, i, 1000) || a - b),
)
const partitionOf = (n: number) => n % partitions

/** Adds the records of input `i` from place `from` to `to` of its order. */
async function add(store: CorpusStore, i: number, from: number, to: number): Promise<void> {
  const records = orders[i]!.slice(from, to).map((n, k) => ({ n, partition: partitionOf(n), offset: from + k }))
  if (i === 0) {
    await store.addDocuments(
      records.map(({ n, ...at }) => ({
        value: { docId: asDocumentId(BigInt(n)), text: '', meta: '{}', tokens: 1 + (n % 5) },
        ...at,
      })),
    )
    return
  }
  const { actor, version } = columns[i - 1]!
  await store.addLabels(
    records.map(({ n, ...at }) => ({
      value: {
        docId: asDocumentId(BigInt(n)),
        actor,
        subcategory: draw(n, 7 + i, 3),
        score: 0.5,
        tokens: 1 + (n % 5),
        version,
      },
      ...at,
    })),
  )
}

const asOf = (places: readonly number[]): TopicOffset[] =>
  inputs.flatMap((topic, i) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offsetNext: places[i]! })),
  )

const viewOf = (store: CorpusStore, places: readonly number[]) =>
  store.view({ columns, labelOffsets: asOf(places), readsOf: null, draws: true })

async function histogram(store: CorpusStore, places: readonly number[]) {
  const groups = await (await viewOf(store, places)).groups()
  return groups.map((group) => JSON.stringify(group)).sort()
}

/** The ids of a selection of 40 by three levels, with a sample of each subcategory before them. */
async function drawn(store: CorpusStore, places: readonly number[]): Promise<bigint[]> {
  const corpus = await viewOf(store, places)
  const ids: bigint[] = []
  for (const [actor] of columns.entries()) {
    const samples = await corpus.samples(actor, seedOf(places[0]!, 1, 'select'), 5)
    for (const label of [0, 1, 2]) ids.push(...(samples.get(label) ?? []))
  }
  const actors = { quality: { subcategories: ['a', 'b', 'c'] }, topic: { subcategories: ['x', 'y', 'z'] } }
  const config = parseSelectionConfig({ seed: 3, actors, budget: { documents: 40 } })
  const weights = [
    [0.1, 0.5, 0.2],
    [1, 0, 0],
  ]
  for await (const chunk of (await select(corpus, config, 1, weights, [0.5, 0.5])).ids) ids.push(...chunk)
  return ids
}

async function rowsOf(table: string): Promise<number> {
  const [row] = await clickHouse.sql.query<{ n: string }>(`SELECT count() AS n FROM ${table}`)
  return Number(row!.n)
}

async function tableOfDraws(): Promise<string> {
  const tables = await clickHouse.sql.query<{ name: string }>('SHOW TABLES')
  return tables.find(({ name }) => /^draw_[0-9a-f]{16}$/.test(name))!.name
}

describe('states of the corpus that are sorted for drawing', () => {
  test('equal a count from scratch as of any offsets, later or earlier, whatever arrived late or twice', async () => {
    const kept = new ClickHouseStore(clickHouse.sql, { scannedMax: 0 })
    const memory = new MemoryStore()
    const steps = [
      [0, 0, 0],
      [40, 10, 0],
      [100, 90, 30],
      // Labels before their documents.
      [100, 150, 200],
      [300, 150, 220],
      // Nothing new.
      [300, 150, 220],
      [300, 300, 300],
    ]
    let before = [0, 0, 0]
    for (const places of steps) {
      for (const store of [kept, memory]) {
        for (const [i, place] of places.entries()) {
          await add(store, i, before[i]!, place)
          // A batch that comes twice.
          await add(store, i, Math.max(0, before[i]! - 5), place)
        }
      }
      before = places
      const expected = await histogram(memory, places)
      expect(await histogram(kept, places)).toEqual(expected)
      expect(await histogram(new ClickHouseStore(clickHouse.sql), places)).toEqual(expected)
      expect(await drawn(kept, places)).toEqual(await drawn(memory, places))
    }
    expect(before).toEqual([documents, documents, documents])
    // Everything is there now; what stood before earlier offsets is still exact, and does not disturb the later ones.
    for (const places of [steps[2]!, [100, 20, 40], steps.at(-1)!])
      expect([await histogram(kept, places), await drawn(kept, places)]).toEqual([
        await histogram(memory, places),
        await drawn(memory, places),
      ])
  })

  test('hold each document once, however many states follow', async () => {
    const [latest] = await clickHouse.sql.query<{ documents: string }>(
      'SELECT max(documents) AS documents FROM draw_states FINAL',
    )
    expect(Number(latest!.documents)).toBe(documents)
    // Two branches: the way through the steps, and the earlier offsets that were asked for afterwards.
    const table = await tableOfDraws()
    expect(await rowsOf(`${table} WHERE state IN (SELECT state FROM draw_states)`)).toBeLessThan(2 * documents)
  })

  test('a document whose record is repeated at a later offset is not added again', async () => {
    const [kept, memory] = [new ClickHouseStore(clickHouse.sql), new MemoryStore()]
    for (const i of inputs.keys()) await add(memory, i, 0, documents)
    for (const store of [kept, memory]) {
      await store.addDocuments(
        orders[0]!.slice(0, 20).map((n, k) => ({
          value: { docId: asDocumentId(BigInt(n)), text: '', meta: '{}', tokens: 1 + (n % 5) },
          partition: partitionOf(n),
          offset: documents + k,
        })),
      )
    }
    const places = [documents + 20, documents, documents]
    expect(await histogram(kept, places)).toEqual(await histogram(memory, places))
    expect(await drawn(kept, places)).toEqual(await drawn(memory, places))
  })

  test('a build interrupted before it was recorded leaves nothing that is read', async () => {
    const table = await tableOfDraws()
    const places = [documents, documents, documents]
    const before = await drawn(new ClickHouseStore(clickHouse.sql), places)
    // As a kill between the rows and the record leaves it: rows of a number that no record names.
    await clickHouse.sql.command(
      `INSERT INTO ${table} SELECT l0, l1, place, tokens, 4294967295 AS state FROM ${table} LIMIT 100`,
    )
    const store = new ClickHouseStore(clickHouse.sql)
    expect(await drawn(store, places)).toEqual(before)
    expect((await histogram(store, places)).length).toBeGreaterThan(0)
    expect(await histogram(store, places)).toEqual(await histogram(new ClickHouseStore(clickHouse.sql), places))
  })

  test('two processes that build on the same parent at the same time do not disturb each other', async () => {
    const memory = new MemoryStore()
    for (const i of inputs.keys()) await add(memory, i, 0, documents)
    const [left, right] = [
      [260, 240, 300],
      [240, 260, 300],
    ]
    const stores = [new ClickHouseStore(clickHouse.sql), new ClickHouseStore(clickHouse.sql)]
    const found = await Promise.all([drawn(stores[0]!, left!), drawn(stores[1]!, right!), drawn(stores[1]!, left!)])
    expect(found).toEqual([await drawn(memory, left!), await drawn(memory, right!), await drawn(memory, left!)])
  })
})
