import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asDocumentId, type DocumentId, type TopicOffset, topics } from '../../../schemas/index.ts'
import { ClickHouseStore } from '../../../services/corpus/clickhouse-store.ts'
import { type ClickHouse, createClickHouse } from '../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../services/runtime/clickhouse/migrate.ts'
import type { CorpusStore, DuplicateLimit } from '../../../topologies/corpus-store.ts'
import { MemoryStore } from '../../../topologies/memory-store.ts'
import { parseSelectionConfig } from '../../../topologies/selection/config.ts'
import type { Corpus } from '../../../topologies/selection/corpus.ts'
import { select } from '../../../topologies/selection/select.ts'
import { type Seed, splitmix64 } from '../../../topologies/selection/u64.ts'
import { Seeded } from '../../support/seeded.ts'

const columns = [{ actor: 'quality', version: 'v1', topic: 'winnow.labels.quality' }]
const documents = 300
const partitions = 3
const version = 'w5b14r8s1'
const all = Array.from({ length: documents }, (_, n) => n)
/** They reach over all 64 bits. */
const idOf = (n: number): DocumentId => asDocumentId(splitmix64(BigInt(n)))

const random = new Seeded(11)
/** Every ninth has no sketch; of the others most share a key with some, some have none. */
const keysOf = all.map((n) =>
  n % 9 === 0 ? undefined : Array.from({ length: random.below(4) }, () => 2 ** 53 - 1 - random.below(90)),
)
const isLabelled = (n: number) => n % 10 !== 3
const isErased = (n: number) => n % 11 === 5

async function fill(store: CorpusStore, repeats: readonly number[]): Promise<void> {
  for (const repeat of repeats) {
    const at = (n: number) => ({ partition: n % partitions, offset: Math.floor(n / partitions) + repeat * 1000 })
    await store.addDocuments(
      all.map((n) => ({ value: { docId: idOf(n), text: `text ${n}`, meta: '{}', tokens: 10 + (n % 7) }, ...at(n) })),
    )
    await store.addLabels(
      all.filter(isLabelled).map((n) => {
        const label = { actor: 'quality', subcategory: n % 2, score: n % 5, tokens: 10 + (n % 7), version: 'v1' }
        return { value: { docId: idOf(n), ...label }, ...at(n) }
      }),
    )
    const sketches = all.flatMap((n) => {
      const keys = keysOf[n]
      if (keys === undefined) return []
      // Of another version: keys that all documents share.
      return [
        { value: { docId: idOf(n), version, keys }, ...at(n) },
        { value: { docId: idOf(n), version: 'w1b1r1s1', keys: [7] }, ...at(n) },
      ]
    })
    await store.addSketches(sketches)
    const erasure = {
      list: 'erasure/a',
      reason: 'erasure',
      excluded: true,
      by: 'b',
      recordedMs: 0,
      contained: null,
    } as const
    await store.addExclusions(all.filter(isErased).map((n) => ({ value: { docId: idOf(n), ...erasure }, ...at(n) })))
  }
}

const offsetsOf = (name: string, offsetNext: number): TopicOffset[] =>
  Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition, offsetNext }))

/** @param sketches offsets of the sketches; the others see all */
const labelOffsets = (sketches: number, exclusions = 500): TopicOffset[] => [
  ...[topics.documents.name, columns[0]!.topic].flatMap((name) => offsetsOf(name, 500)),
  ...offsetsOf(topics.sketches.name, sketches),
  ...offsetsOf(topics.exclusions.name, exclusions),
]

/** Who takes part, read literally from SELECTION.md: each document is compared with all others. */
function expected({ atMost }: DuplicateLimit, sketches: number, exclusions = 500): DocumentId[] {
  const there = all.filter(
    (n) =>
      isLabelled(n) &&
      !(exclusions > 0 && isErased(n)) &&
      keysOf[n] !== undefined &&
      Math.floor(n / partitions) < sketches,
  )
  return there
    .filter((n) =>
      keysOf[n]!.every(
        (key) => there.filter((other) => idOf(other) < idOf(n) && keysOf[other]!.includes(key)).length < atMost,
      ),
    )
    .map(idOf)
}

const inMemory = new MemoryStore()
let folder: string
let clickHouse: ClickHouse
let inSql: ClickHouseStore

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'winnow-near-duplicates-'))
  clickHouse = await createClickHouse({ url: `chdb:${folder}` })
  await migrate(clickHouse.sql)
  inSql = new ClickHouseStore(clickHouse.sql)
  // The one gets repeats later, the other before what they repeat.
  await fill(inMemory, [0, 1])
  await fill(inSql, [1, 0])
}, 120_000)

afterAll(async () => {
  await clickHouse?.close()
  await rm(folder, { recursive: true, force: true })
})

const inOrder = (ids: Iterable<DocumentId>) => [...ids].sort((a, b) => (a < b ? -1 : 1))
const idsIn = async (corpus: Corpus) => inOrder((await corpus.describe(all.map(idOf))).keys())
const count = async (corpus: Corpus) => (await corpus.groups()).reduce((sum, group) => sum + group.documents, 0)

test.each([
  { atMost: 1, sketches: 500 },
  { atMost: 2, sketches: 500 },
  { atMost: 1, sketches: 60 },
  { atMost: 1, sketches: 0 },
  { atMost: 1, sketches: 500, exclusions: 0 },
  { atMost: 100, sketches: 500 },
])(
  'of each crowd those with the smallest ids take part, in SQL and in memory: %j',
  async ({ atMost, sketches, exclusions }) => {
    const duplicates = { version, atMost }
    const ids = inOrder(expected(duplicates, sketches, exclusions))
    const options = { columns, labelOffsets: labelOffsets(sketches, exclusions), readsOf: null, duplicates }
    for (const store of [inMemory, inSql]) {
      for (const draws of [false, true]) {
        const corpus = await store.view({ ...options, draws })
        expect(await idsIn(corpus)).toEqual(ids)
        expect(await count(corpus)).toBe(ids.length)
      }
    }
    if (sketches === 500 && atMost < 100) expect(ids.length).toBeLessThan(all.filter((n) => n % 9 > 0).length - 50)
  },
)

test('sample, select and rank the same in SQL and in memory, and no key is there more often than the limit says', async () => {
  for (let seed = 0; seed < 8; seed++) {
    const duplicates = { version, atMost: 1 + (seed % 3) }
    const config = parseSelectionConfig({
      ...{ seed, actors: { quality: { subcategories: ['low', 'high'] } }, budget: { documents: 20 + seed * 10 } },
      ...(seed % 2 === 1 && { strategy: { score: { kind: 'label', actor: 'quality' } } }),
      duplicates: { atMost: duplicates.atMost },
    })
    const results = []
    for (const store of [inMemory, inSql]) {
      const options = { columns, labelOffsets: labelOffsets(500), readsOf: null, duplicates, draws: true, scored: [0] }
      const corpus = await store.view(options)
      const selection = await select(corpus, config, 1, [[0.2, 0.8]], [1])
      const ids: bigint[] = []
      for await (const piece of selection.ids) ids.push(...piece)
      results.push({ ...selection, ids, samples: await corpus.samples(0, BigInt(seed) as Seed, 30) })
    }
    expect(results[1]).toEqual(results[0])
    const times = new Map<number, number>()
    for (const id of results[0]!.ids)
      for (const key of new Set(keysOf[all.find((n) => idOf(n) === id)!])) times.set(key, (times.get(key) ?? 0) + 1)
    expect(Math.max(...times.values())).toBeLessThanOrEqual(duplicates.atMost)
  }
})

test('without a limit, and of sketches that nobody has made, nothing is different or nobody is there', async () => {
  const without = all.filter((n) => isLabelled(n) && !isErased(n))
  for (const store of [inMemory, inSql]) {
    const options = { columns, labelOffsets: labelOffsets(500), readsOf: null }
    expect(await count(await store.view(options))).toBe(without.length)
    const duplicates = { version: 'w7b1r1s1', atMost: 1 }
    expect(await count(await store.view({ ...options, duplicates }))).toBe(0)
    const everyone = { version: 'w1b1r1s1', atMost: 1 }
    expect(await count(await store.view({ ...options, duplicates: everyone }))).toBe(1)
  }
})

test('tell what each source loses to the limit, the same in SQL and in memory', async () => {
  for (const [atMost, sketches, exclusions] of [
    [1, 500, 500],
    [2, 500, 0],
    [1, 40, 500],
    [100, 500, 500],
  ] as const) {
    const left = new Set(expected({ version, atMost }, sketches, exclusions))
    const there = expected({ version, atMost: 1e9 }, sketches, exclusions)
    const sums = new Map<number, number[]>()
    for (const id of there) {
      const n = all.find((one) => idOf(one) === id)!
      const sum = sums.get(Number(id >> 40n)) ?? [0, 0, 0, 0]
      const lost = left.has(id) ? 0 : 1
      const tokens = 10 + (n % 7)
      sums.set(Number(id >> 40n), [sum[0]! + 1, sum[1]! + tokens, sum[2]! + lost, sum[3]! + lost * tokens])
    }
    for (const store of [inMemory, inSql]) {
      const options = { columns, labelOffsets: labelOffsets(sketches, exclusions), duplicates: { version, atMost } }
      const crowds = await store.crowdedOut(options)
      const told = crowds.map((one) => [one.source, one.documents, one.tokens, one.lostDocuments, one.lostTokens])
      const inOrder = (rows: number[][]) => rows.sort(([a], [b]) => a! - b!)
      expect(inOrder(told)).toEqual(inOrder([...sums].map(([source, sum]) => [source, ...sum])))
    }
  }
})

test('tell how many of the labelled documents are sketched', async () => {
  const labelled = all.filter(isLabelled)
  for (const store of [inMemory, inSql]) {
    for (const sketches of [0, 40, 500]) {
      const done = labelled.filter((n) => keysOf[n] !== undefined && Math.floor(n / partitions) < sketches).length
      const asOf = { columns, labelOffsets: labelOffsets(sketches) }
      expect(await store.sketched(asOf, version)).toEqual({ done, total: labelled.length })
    }
  }
})

test('what a killed attempt has left behind is not read, and views that see the same share one', async () => {
  const options = {
    ...{ columns, labelOffsets: labelOffsets(77), readsOf: null, duplicates: { version, atMost: 1 } },
  }
  await clickHouse.sql.insert(
    'duplicate_ranks',
    all.map((n) => ({ attempt: 5, doc: idOf(n), rank: 9 })),
    { columns: ['attempt', 'doc', 'rank'] },
  )
  const ids = await idsIn(await inSql.view(options))
  expect(ids).toEqual(inOrder(expected(options.duplicates, 77)))
  const attempts = async () => {
    const [row] = await clickHouse.sql.query<{ n: string }>('SELECT count() AS n FROM duplicate_states')
    return Number(row!.n)
  }
  const before = await attempts()
  const again = await new ClickHouseStore(clickHouse.sql).view({ ...options, duplicates: { version, atMost: 3 } })
  expect(await idsIn(again)).toEqual(inOrder(expected({ version, atMost: 3 }, 77)))
  expect(await attempts()).toBe(before)
})
