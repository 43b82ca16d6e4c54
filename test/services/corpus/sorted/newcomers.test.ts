import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asDocumentId, type TopicOffset, topics } from '../../../../schemas/index.ts'
import { ClickHouseStore } from '../../../../services/corpus/clickhouse-store.ts'
import { ClickHouseCorpus } from '../../../../services/corpus/clickhouse-view.ts'
import { cameSince } from '../../../../services/corpus/sorted/newcomers-sql.ts'
import { type ClickHouse, createClickHouse } from '../../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../../services/runtime/clickhouse/migrate.ts'
import type { Group } from '../../../../topologies/selection/groups.ts'
import { seedOf, splitmix64 } from '../../../../topologies/selection/u64.ts'

const actors = ['topic', 'quality']
const columns = actors.map((actor) => ({ actor, version: 'v1', topic: `winnow.labels.${actor}` }))
const logs = [topics.documents.name, ...columns.map(({ topic }) => topic)]
const partitions = 2
const idOf = (n: number) => asDocumentId(splitmix64(BigInt(n)))

let folder: string
let clickHouse: ClickHouse
let store: ClickHouseStore
/** How far each partition of each topic has been written: `topic/partition`. */
let ends = new Map<string, number>()

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'winnow-newcomers-'))
  clickHouse = await createClickHouse({ url: `chdb:${folder}` })
  await migrate(clickHouse.sql)
})
afterAll(async () => {
  await clickHouse.close()
  rmSync(folder, { recursive: true })
})

const offsetsNow = (): TopicOffset[] =>
  logs.flatMap((topic) =>
    Array.from({ length: partitions }, (_, partition) => ({
      ...{ topic, partition, offsetNext: ends.get(`${topic}/${partition}`) ?? 0 },
    })),
  )

/** Where the record of a document in a topic goes: all of a document's are in partitions of one number. */
function placed(topic: string, n: number) {
  const partition = n % partitions
  const name = `${topic}/${partition}`
  const offset = ends.get(name) ?? 0
  ends.set(name, offset + 1)
  return { partition, offset }
}

async function addDocuments(numbers: readonly number[]): Promise<void> {
  const value = (n: number) => ({ docId: idOf(n), text: '', meta: '{}', tokens: 1 + (n % 7) })
  await store.addDocuments(numbers.map((n) => ({ value: value(n), ...placed(topics.documents.name, n) })))
}

async function addLabels(actorIndex: number, numbers: readonly number[]): Promise<void> {
  const { actor, version, topic } = columns[actorIndex]!
  const label = (n: number) => ({
    ...{ docId: idOf(n), actor, version, subcategory: (n >> actorIndex) % 3, score: n / 8, tokens: 1 + (n % 7) },
  })
  await store.addLabels(numbers.map((n) => ({ value: label(n), ...placed(topic, n) })))
}

const groupsText = (groups: readonly Group[]): string[] =>
  groups.map(({ labels, documents, tokens }) => `${labels}: ${documents}, ${tokens}`).sort()

/** Numbers below `bound`, the same each time: some of them repeat earlier ones, some are never drawn. */
const drawn = (step: number, count: number, bound: number): number[] =>
  Array.from({ length: count }, (_, i) => Number(splitmix64(BigInt(step * 1000 + i)) % BigInt(bound)))

test('a state holds what the wide table held, whatever came late, twice or in any order, merged with old rows or not', async () => {
  store = new ClickHouseStore(clickHouse.sql, { rowsPerStep: 70, scannedMax: 0 })
  const asOfs: TopicOffset[][] = []
  for (let step = 0; step < 8; step++) {
    // Labels come before and after their documents, in this step or in a later one; partition 1 begins late.
    const numbers = drawn(step, 60, 150).map((n) => (step < 2 ? 2 * n : n))
    await addLabels(
      0,
      drawn(step + 50, 70, 150).map((n) => (step < 2 ? 2 * n : n)),
    )
    await addDocuments([...new Set(numbers)])
    await addLabels(1, [...numbers, ...numbers.slice(0, 20)])
    if (step % 3 === 1) await clickHouse.sql.command('OPTIMIZE TABLE corpus FINAL')
    asOfs.push(offsetsNow())
    // An older state may be asked for later, and is then built from one before it.
    for (const labelOffsets of step % 2 === 0 ? asOfs : asOfs.slice(-1)) {
      const options = { columns, labelOffsets, readsOf: null, draws: true, scored: step === 7 ? [1] : [] }
      const [sorted, wide] = [await store.view(options), new ClickHouseCorpus(clickHouse.sql, options)]
      const expected = await wide.groups()
      expect(groupsText(await sorted.groups())).toEqual(groupsText(expected))
      const seed = seedOf(7, step, 'order')
      const ids = async (corpus: typeof sorted) => {
        const all: bigint[] = []
        for await (const some of corpus.emit(expected, [], seed)) all.push(...some)
        return all
      }
      expect(await ids(sorted)).toEqual(await ids(wide))
    }
  }
  const last = await store.view({ columns, labelOffsets: asOfs.at(-1)!, readsOf: null, draws: true })
  expect((await last.groups()).length).toBe(6)
})

test('blocks of rows from before a state are not read to find what came since', async () => {
  await clickHouse.sql.command('TRUNCATE TABLE corpus')
  ends = new Map()
  store = new ClickHouseStore(clickHouse.sql)
  const range = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i)
  const add = async (numbers: readonly number[]) => {
    await addDocuments(numbers)
    for (const a of columns.keys()) await addLabels(a, numbers)
  }
  await add(range(0, 30_000))
  // Two have no label yet, and so no offset of one.
  await addDocuments([30_000, 30_001])
  await clickHouse.sql.command('OPTIMIZE TABLE corpus FINAL')
  const before = offsetsNow()
  await add(range(30_002, 100))
  const asOf = { columns, labelOffsets: offsetsNow() }
  const base = { state: 1, parent: 0, offsets: JSON.stringify(before), documents: 1, through: null, done: 0, total: 0 }
  const { where, parameters } = cameSince(asOf, base)
  const statement = (condition: string) =>
    `EXPLAIN ESTIMATE SELECT doc FROM corpus WHERE ${condition} SETTINGS use_skip_indexes_on_data_read = 0`
  const rowsRead = async (condition: string) => {
    const parts = await clickHouse.sql.query<{ rows: string }>(statement(condition), parameters)
    return parts.reduce((sum, { rows }) => sum + Number(rows), 0)
  }
  expect(await rowsRead('true')).toBe(30_302)
  expect(await rowsRead(where)).toBe(300)
})
