import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asDocumentId, type TopicOffset, topics } from '../../../schemas/index.ts'
import { ClickHouseStore } from '../../../services/corpus/clickhouse-store.ts'
import { type ClickHouse, createClickHouse } from '../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../services/runtime/clickhouse/migrate.ts'
import type { CorpusStore } from '../../../topologies/corpus-store.ts'
import { MemoryStore } from '../../../topologies/memory-store.ts'
import { parseSelectionConfig } from '../../../topologies/selection/config.ts'
import type { Corpus } from '../../../topologies/selection/corpus.ts'
import { select } from '../../../topologies/selection/select.ts'
import { type Seed, splitmix64 } from '../../../topologies/selection/u64.ts'
import { generator, strategy } from '../../topologies/selection/arbitraries.ts'

const columns = [
  { actor: 'quality', version: 'v1', topic: 'winnow.labels.quality' },
  { actor: 'topic', version: 'v1', topic: 'winnow.labels.topic' },
]
const sizes = [2, 3]
const documents = 400
const partitions = 3
const randomConfigurations = 25
const idOf = (n: number) => asDocumentId(splitmix64(BigInt(n)))

/** 400 documents over three partitions; every tenth has no topic label. Everything is added twice, the repeat at a higher offset. */
async function fill(store: CorpusStore): Promise<TopicOffset[]> {
  for (const repeat of [0, 1]) {
    const all = Array.from({ length: documents }, (_, n) => ({
      n,
      at: { partition: n % partitions, offset: Math.floor(n / partitions) + repeat * 1000 },
      tokens: 10 + (n % 7),
    }))
    await store.addDocuments(
      all.map(({ n, at, tokens }) => ({ value: { docId: idOf(n), text: `text ${n}`, meta: '{}', tokens }, ...at })),
    )
    for (const [i, { actor, version }] of columns.entries()) {
      const labelled = all.filter(({ n }) => actor !== 'topic' || n % 10 !== 0)
      await store.addLabels(
        labelled.map(({ n, at, tokens }) => {
          const subcategory = Number(splitmix64(idOf(n) ^ BigInt(i)) % BigInt(sizes[i]!))
          const score = ((n * 37) % 50) / 10 - 1 - i
          return { value: { docId: idOf(n), actor, subcategory, score, tokens, version }, ...at }
        }),
      )
    }
  }
  const offsets = [topics.documents.name, ...columns.map(({ topic }) => topic)].flatMap((topic) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offsetNext: 100 + partition })),
  )
  await store.commit(offsets)
  return offsets
}

describe('the corpus in ClickHouse and in memory', () => {
  let folder: string
  let clickHouse: ClickHouse
  let inSql: ClickHouseStore
  let narrowing: ClickHouseStore
  const inMemory = new MemoryStore()
  let labelOffsets: TopicOffset[]

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'winnow-corpus-'))
    clickHouse = await createClickHouse({ url: `chdb:${folder}` })
    await migrate(clickHouse.sql)
    inSql = new ClickHouseStore(clickHouse.sql)
    narrowing = new ClickHouseStore(clickHouse.sql, { scannedMax: 0, openMax: 2 })
    labelOffsets = await fill(inMemory)
    await fill(inSql)
    const reads = async function* () {
      yield new Map([
        [idOf(1), 2],
        [idOf(3), 1],
      ])
    }
    for (const store of [inMemory, inSql]) await store.addReads('run', 0, reads())
  }, 120_000)

  afterAll(async () => {
    await clickHouse?.close()
    await rm(folder, { recursive: true, force: true })
  })

  const view = async (store: CorpusStore, readsOf: string | null, scored: readonly number[] = []) =>
    store.view({ columns, labelOffsets, readsOf, scored, draws: true })

  test('hold a document as soon as its record and all its labels are before the offsets', async () => {
    expect(await inSql.committed()).toEqual(await inMemory.committed())
    const groups = await (await view(inSql, null)).groups()
    // Offsets 100, 101 and 102 of the three partitions hide the documents from 300 on but numbers 301, 302 and 305; a tenth has no topic.
    const visible = Array.from({ length: documents }, (_, n) => n).filter(
      (n) => n % 10 !== 0 && Math.floor(n / partitions) < 100 + (n % partitions),
    )
    expect(groups.reduce((sum, group) => sum + group.documents, 0)).toBe(visible.length)
    expect(groups.reduce((sum, group) => sum + group.tokens, 0)).toBe(visible.reduce((sum, n) => sum + 10 + (n % 7), 0))
  })

  test('give the same samples', async () => {
    for (const [actor, subcategories] of sizes.entries()) {
      for (const count of [1, 11, documents]) {
        const [sql, memory] = await Promise.all(
          [inSql, inMemory].map(async (store) =>
            (await view(store, null)).samples(actor, (2n ** 64n - 5n) as Seed, count),
          ),
        )
        expect(sql).toEqual(memory)
        expect(sql!.size).toBe(subcategories)
        for (const ids of sql!.values()) if (count < documents) expect(ids).toHaveLength(count)
      }
    }
  })

  test.each([
    { budget: { documents: 1 } },
    { budget: { documents: 57 } },
    { budget: { documents: 100_000 } },
    { budget: { tokens: 1 } },
    { budget: { tokens: 1234 } },
    { budget: { documents: 57 }, repetitionDecay: 0.1, firstSelection: 'weights' },
    { budget: { tokens: 600 }, repeat: 'exclude', firstSelection: 'weights' },
    { budget: { documents: 57 }, strategy: { mixture: { actor: 'topic', weights: [1, 0.5, 3] } } },
    { budget: { tokens: 900 }, strategy: { mixture: { actor: 'topic', proportional: true } }, repeat: 'exclude' },
    { budget: { documents: 57 }, strategy: { pool: [{ actor: 'topic', subcategories: ['a', 'c'] }] } },
    { budget: { documents: 57 }, strategy: { sampler: { kind: 'gumbel', temperature: 0.25 } }, repetitionDecay: 1 },
    { budget: { documents: 57 }, firstSelection: 'weights', guards: { other: { bound: 1, share: 0.4 } } },
    {
      ...{ budget: { tokens: 900 }, firstSelection: 'weights', repeat: 'exclude' },
      guards: {
        rules: [
          { kind: 'floor', actor: 'topic', subcategory: 'b', share: 0.3 },
          { kind: 'cap', actor: 'quality', subcategory: 'high', share: 0.5 },
        ],
        other: { bound: 1, share: 0.5 },
      },
    },
    {
      budget: { tokens: 800 },
      strategy: {
        pool: [{ tokensMin: 12 }, { actor: 'quality', quantiles: [0.1, 0.9] }, { actor: 'topic', scoreAbove: -1.5 }],
        score: { kind: 'label', actor: 'topic', sign: -1, standardize: 'corpus' },
        mixture: { actor: 'topic', weights: [1, 1, 1] },
        sampler: { kind: 'gumbel', temperature: 2 },
      },
    },
  ])('select the same documents in the same order with %j', async (options) => {
    const config = parseSelectionConfig({
      seed: 7,
      actors: {
        quality: { subcategories: ['low', 'high'], initialWeights: [0.2, 0.8] },
        topic: { subcategories: ['a', 'b', 'c'], initialWeights: [0.5, 0.5, 0.1] },
      },
      ...options,
    })
    const readsOf = 'repeat' in options || 'repetitionDecay' in options ? 'run' : null
    const weights = config.actors.map(({ initialWeights }) => initialWeights)
    const results = []
    // With the scores in the sorted table, by many histograms and ranges, with those of the wide one, and in memory.
    for (const [store, scored] of [[inSql, [0, 1]], [narrowing, [0, 1]], [inSql], [inMemory]] as const) {
      const selection = await select(await view(store, readsOf, scored), config, 1, weights, [0.5, 0.5])
      const ids: bigint[] = []
      for await (const piece of selection.ids) ids.push(...piece)
      results.push({ ...selection, ids })
    }
    for (const inSql of results.slice(0, 3)) expect(inSql).toEqual(results[3])
    expect(results[0]!.ids.length).toBe(results[0]!.documents)
    expect(new Set(results[0]!.ids).size).toBe(results[0]!.documents)
    if ('documents' in options.budget) expect(results[0]!.documents).toBeLessThanOrEqual(options.budget.documents!)
  })

  test('select the same over random configurations with every combination of parts', async () => {
    const actors = {
      quality: { subcategories: ['low', 'high'], initialWeights: [0.2, 0.8] },
      topic: { subcategories: ['a', 'b', 'c'], initialWeights: [0.5, 0.5, 0.1] },
    }
    for (let seed = 0; seed < randomConfigurations; seed++) {
      const { below, pick } = generator(seed)
      const decayed = pick([{}, { repetitionDecay: pick([0.1, 1]) }, { repeat: 'exclude' }])
      const given = {
        ...{
          seed,
          actors,
          ...decayed,
          strategy: strategy({ seed, actors, budget: { documents: 1 } }, generator(seed)),
        },
        firstSelection: pick(['random', 'weights']),
        budget: pick([{ documents: 1 + below(350) }, { tokens: 1 + below(4000) }]),
      }
      const config = parseSelectionConfig(given)
      const readsOf = Object.keys(decayed).length > 0 ? 'run' : null
      const weights = config.actors.map(({ initialWeights }) => initialWeights)
      const results = []
      for (const [store, scored] of [
        seed % 2 === 0 ? ([inSql] as const) : ([narrowing, [0, 1]] as const),
        [inMemory] as const,
      ]) {
        const selection = await select(await view(store, readsOf, scored), config, 1, weights, [0.5, 0.5])
        const ids: bigint[] = []
        for await (const piece of selection.ids) ids.push(...piece)
        results.push({ ...selection, ids })
      }
      expect(results[0], JSON.stringify(given)).toEqual(results[1])
    }
  })

  describe('of which lists exclude some documents', () => {
    const lists = [
      { list: 'erasure/a', every: 5, excluded: true, offset: 0 },
      { list: 'eval-set/b', every: 7, excluded: true, offset: 1000 },
      // Lifted of one list: those of the other stay out. Behind the offsets of the views that follow: all of them.
      { list: 'erasure/a', every: 10, excluded: false, offset: 2000 },
      { list: 'erasure/c', every: 1, excluded: true, offset: 5000 },
    ]
    const isOut = (n: number) => (n % 5 === 0 && n % 10 !== 0) || n % 7 === 0
    const excluding = (): TopicOffset[] =>
      Array.from({ length: partitions }, (_, partition) => ({
        ...{ topic: topics.exclusions.name, partition, offsetNext: 3000 + partition },
      }))

    beforeAll(async () => {
      // Everything twice, the later first: what is delivered again changes nothing.
      for (const { list, every, excluded, offset } of [...lists.toReversed(), ...lists]) {
        const some = Array.from({ length: documents }, (_, n) => n).filter((n) => n % every === 0)
        const what = { list, reason: 'erasure', excluded, by: 'somebody', recordedMs: 0, contained: null } as const
        for (const store of [inMemory, inSql])
          await store.addExclusions(
            some.map((n) => ({
              ...{ partition: n % partitions, offset: offset + n, value: { docId: idOf(n), ...what } },
            })),
          )
      }
    })

    const viewWith = (store: CorpusStore, readsOf: string | null, scored: readonly number[] = []) =>
      store.view({ columns, labelOffsets: [...labelOffsets, ...excluding()], readsOf, scored, draws: true })
    const narrow = { quality: { subcategories: ['low', 'high'] }, topic: { subcategories: ['a', 'b', 'c'] } }

    test('hold the others, and a view as of offsets before them all', async () => {
      const visible = Array.from({ length: documents }, (_, n) => n).filter(
        (n) => n % 10 !== 0 && Math.floor(n / partitions) < 100 + (n % partitions),
      )
      const count = async (corpus: Corpus) => (await corpus.groups()).reduce((sum, { documents: n }) => sum + n, 0)
      const wide = inSql.view({ columns, labelOffsets: [...labelOffsets, ...excluding()], readsOf: null })
      for (const corpus of [await viewWith(inSql, null), await viewWith(inMemory, 'run'), await wide]) {
        expect(await count(corpus)).toBe(visible.filter((n) => !isOut(n)).length)
        expect(new Set((await corpus.describe([1, 5, 14, 11].map(idOf))).keys())).toEqual(new Set([idOf(1), idOf(11)]))
      }
      expect(await count(await view(inSql, null))).toBe(visible.length)
    })

    test('sample, select, rank and count reads as if the excluded ones were not there, in SQL and in memory', async () => {
      const out = new Set(
        Array.from({ length: documents }, (_, n) => n)
          .filter(isOut)
          .map(idOf),
      )
      for (let seed = 0; seed < 6; seed++) {
        const { below, pick } = generator(1000 + seed)
        const decayed = pick([{}, { repetitionDecay: 0.5 }, { repeat: 'exclude' }])
        const given = {
          ...{ seed, actors: narrow, ...decayed },
          ...(seed % 3 > 0 && {
            strategy: strategy({ seed, actors: narrow, budget: { documents: 1 } }, generator(seed)),
          }),
          budget: pick([{ documents: 1 + below(250) }, { tokens: 1 + below(3000) }]),
        }
        const config = parseSelectionConfig(given)
        const readsOf = Object.keys(decayed).length > 0 ? 'run' : null
        const results = []
        for (const [store, scored] of [[inSql], [narrowing, [0, 1]], [inMemory]] as const) {
          const corpus = await viewWith(store, readsOf, scored)
          const selection = await select(
            corpus,
            config,
            1,
            [
              [0.2, 0.8],
              [0.5, 0.5, 0.1],
            ],
            [0.5, 0.5],
          )
          const ids: bigint[] = []
          for await (const piece of selection.ids) ids.push(...piece)
          const samples = await corpus.samples(seed % 2, BigInt(seed) as Seed, seed < 3 ? 3 : 3000)
          results.push({ ...selection, ids, samples })
        }
        for (const result of results) {
          expect(result.ids.filter((id) => out.has(asDocumentId(id)))).toEqual([])
          expect([...result.samples.values()].flat().filter((id) => out.has(id))).toEqual([])
        }
        expect(results[0], JSON.stringify(given)).toEqual(results[2])
        expect(results[1], JSON.stringify(given)).toEqual(results[2])
      }
    })
  })

  test('find texts by id', async () => {
    const ids = [idOf(5), idOf(399), asDocumentId(12345n)]
    expect(await inSql.texts(ids)).toEqual(await inMemory.texts(ids))
    expect((await inSql.texts(ids)).get(idOf(399))).toBe('text 399')
  })
})
