import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asDocumentId, type DocumentId, labelsTopic, topics } from '../../schemas/index.ts'
import { ClickHouseStore } from '../../services/corpus/clickhouse-store.ts'
import { readDocument, readsBefore } from '../../services/corpus/document.ts'
import { drawDocuments } from '../../services/corpus/draw.ts'
import { Exposures } from '../../services/corpus/exposures.ts'
import { countByLabels, countIncomplete, countLabelled } from '../../services/corpus/label-counts.ts'
import { labelPairs, labelVersions } from '../../services/corpus/label-versions.ts'
import { documentsOfIds, documentsOfTexts, findDocuments } from '../../services/corpus/search.ts'
import { shardKey } from '../../services/corpus/shard-key.ts'
import { SortedCorpus } from '../../services/corpus/sorted/sorted-corpus.ts'
import { ClickHouseTextKeys } from '../../services/corpus/text-keys.ts'
import { checkCluster } from '../../services/runtime/clickhouse/check-cluster.ts'
import { type ClickHouse, createClickHouse } from '../../services/runtime/clickhouse/client.ts'
import { ensureDatabase } from '../../services/runtime/clickhouse/database.ts'
import { migrate } from '../../services/runtime/clickhouse/migrate.ts'
import { json } from '../../services/runtime/json.ts'
import type { ViewOptions } from '../../topologies/corpus-store.ts'
import { parseSelectionConfig } from '../../topologies/selection/config.ts'
import type { Corpus } from '../../topologies/selection/corpus.ts'
import { select } from '../../topologies/selection/select.ts'
import { seedOf, splitmix64 } from '../../topologies/selection/u64.ts'
import { type ClickHouseCluster, startClickHouseCluster } from '../support/clickhouse-cluster/cluster.ts'
import { processesMissing } from '../support/clickhouse-cluster/processes.ts'
import { findRuntime } from '../support/servers.ts'

const documents = 3000
const partitions = 3
/** Of many rows in any order; Vitest compares sets in a time that is the square of theirs. */
const sorted = (rows: readonly object[]) => rows.map((row) => json(row)).sort()
const idOf = (n: number) => asDocumentId(splitmix64(BigInt(n)))
const tokensOf = (n: number) => 10 + (n % 7)
const sizes = { quality: 2, topic: 3 }
const columns = Object.keys(sizes).map((actor) => ({ actor, version: 'v1', topic: labelsTopic(actor).name }))
const weights = [
  [0.2, 0.8],
  [0.5, 0.3, 0.2],
]
const versions = new Map(columns.map(({ actor, version }) => [actor, version]))
const topicsRead = [topics.documents.name, ...columns.map(({ topic }) => topic)]
/** As of a share of the records. */
const asOf = (share: number) =>
  topicsRead.flatMap((topic) =>
    Array.from({ length: partitions }, (_, partition) => ({
      topic,
      partition,
      offsetNext: Math.floor((documents / partitions) * share),
    })),
  )

/** Documents and labels, all of them twice; every tenth has no topic. */
async function fill(store: ClickHouseStore): Promise<void> {
  const all = Array.from({ length: documents }, (_, n) => ({
    n,
    at: { partition: n % partitions, offset: Math.floor(n / partitions) },
  }))
  for (const _ of [0, 1]) {
    await store.addDocuments(
      all.map(({ n, at }) => ({
        value: { docId: idOf(n), text: `the ${n}th Harbour`, meta: `{"n":${n}}`, tokens: tokensOf(n) },
        ...at,
      })),
    )
    for (const [actor, size] of Object.entries(sizes))
      for (const version of ['v1', 'v2'])
        await store.addLabels(
          all
            .filter(({ n }) => actor !== 'topic' || n % 10 !== 0)
            .map(({ n, at }) => {
              const subcategory = Number(splitmix64(idOf(n) ^ BigInt(size)) % BigInt(size))
              const score = ((n * 37) % 50) / 10 - (version === 'v1' ? 1 : 2)
              return { value: { docId: idOf(n), actor, subcategory, score, tokens: tokensOf(n), version }, ...at }
            }),
        )
  }
  await store.commit(asOf(1))
  for (const round of [0, 1])
    await store.addReads(
      'run',
      round,
      (async function* () {
        yield new Map(Array.from({ length: 700 }, (_, n) => [idOf(n + round * 300), 1 + round] as const))
      })(),
    )
}

const runtime = await findRuntime()
const missing = runtime === undefined ? processesMissing() : undefined

describe.skipIf(missing !== undefined)(`a ClickHouse cluster${missing === undefined ? '' : ` (${missing})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-one-'))
  const database = 'winnow-"cluster'
  let servers: ClickHouseCluster
  let spread: ClickHouse
  let single: ClickHouse
  let stores: ClickHouseStore[]

  beforeAll(async () => {
    servers = await startClickHouseCluster(runtime)
    const cluster = { name: servers.cluster, shardKey }
    spread = await createClickHouse({ url: servers.url, database, cluster })
    await ensureDatabase(spread.sql, { url: servers.url, database, cluster: cluster.name })
    await checkCluster(spread.sql, cluster.name)
    single = await createClickHouse({ url: `chdb:${folder}` })
    stores = []
    for (const { sql } of [spread, single]) {
      await migrate(sql)
      const store = new ClickHouseStore(sql)
      stores.push(store)
      await fill(store)
    }
  }, 300_000)
  afterAll(async () => {
    await spread?.close()
    await single?.close()
    await servers?.stop()
    rmSync(folder, { recursive: true })
  }, 60_000)

  /** What the cluster and a single server answer must be equal; returns it. */
  async function same<Answer>(
    ask: (store: ClickHouseStore, clickHouse: ClickHouse) => Promise<Answer>,
  ): Promise<Answer> {
    const [ofCluster, ofOne] = [await ask(stores[0]!, spread), await ask(stores[1]!, single)]
    expect(ofCluster).toEqual(ofOne)
    return ofCluster
  }

  test('spreads every document over the shards evenly, and all that is known of it is on one shard', async () => {
    const rows = await spread.sql.query<{ shard: number; documents: string }>(
      'SELECT _shard_num AS shard, uniqExact(doc) AS documents FROM corpus GROUP BY shard ORDER BY shard',
    )
    expect(rows.map(({ shard }) => Number(shard))).toEqual(Array.from({ length: servers.shards }, (_, i) => i + 1))
    expect(rows.reduce((sum, row) => sum + Number(row.documents), 0)).toBe(documents)
    for (const row of rows) expect(Number(row.documents)).toBeGreaterThan(documents / servers.shards / 1.3)
    for (const table of ['documents', 'reads'])
      expect(
        await spread.sql.query(
          `SELECT doc FROM (SELECT doc, _shard_num AS shard FROM corpus) AS c
           INNER JOIN (SELECT doc, _shard_num AS other FROM ${table}) AS d ON c.doc = d.doc WHERE shard != other`,
        ),
      ).toEqual([])
  })

  const given: { name: string; options: Omit<ViewOptions, 'columns'> }[] = [
    ...[0.5, 1].map((share) => ({
      name: `as of ${share} of the records`,
      options: { labelOffsets: asOf(share), readsOf: null },
    })),
    { name: 'with what a run has read', options: { labelOffsets: asOf(1), readsOf: 'run' } },
  ]
  describe.each([
    { by: 'a table sorted for drawing', draws: true, questions: given },
    { by: 'the wide table', draws: false, questions: given.slice(-1) },
  ])('by $by', ({ draws, questions }) => {
    test.each(questions)('answers every question of a round as one server does, $name', async ({ options }) => {
      const corpora = await Promise.all(stores.map((store) => store.view({ ...options, columns, draws })))
      if (draws) for (const corpus of corpora) expect(corpus).toBeInstanceOf(SortedCorpus)
      const sameOf = async <Answer>(ask: (corpus: Corpus) => Promise<Answer>): Promise<Answer> => {
        const [ofCluster, ofOne] = await Promise.all(corpora.map(ask))
        expect(ofCluster).toEqual(ofOne)
        return ofCluster!
      }
      const groups = await sameOf(async (corpus) => new Set(await corpus.groups()))
      const held = [...groups].reduce((sum, group) => sum + group.documents, 0)
      expect(held).toBeGreaterThan(1000)
      for (const count of [1, 50, documents])
        await sameOf(async (corpus) => await corpus.samples(1, seedOf(3, 1, 'sample:topic'), count))
      await sameOf(async (corpus) => await corpus.scoreSums(1))
      await sameOf(async (corpus) => await corpus.scoresAt(0, [1, 17, held]))
      for (const budget of [{ documents: 777 }, { documents }, { tokens: 5000 }]) {
        const actors = Object.entries(sizes).map(([name, size], a) => {
          const subcategories = Array.from({ length: size }, (_, i) => `${i}`)
          return [name, { subcategories, initialWeights: weights[a] }]
        })
        const config = parseSelectionConfig({
          seed: 11,
          actors: Object.fromEntries(actors),
          firstSelection: 'weights',
          ...(options.readsOf !== null && { repetitionDecay: 0.5 }),
          budget,
        })
        await sameOf(async (corpus) => {
          const selection = await select(corpus, config, 1, weights, [0.6, 0.4])
          const ids: bigint[] = []
          for await (const piece of selection.ids) ids.push(...piece)
          expect(ids).toHaveLength(selection.documents)
          return { ...selection, ids }
        })
      }
    })
  })

  test('limits near duplicates as one server does, whichever shards the copies are on', async () => {
    const version = 'w5b14r8s1'
    const keysOf = (n: number) => [n % 1100, 10_000 + (n % 1300)]
    const isSketched = (n: number) => n % 9 !== 0
    const place = (n: number) => ({ partition: n % partitions, offset: Math.floor(n / partitions) })
    const sketches = Array.from({ length: documents }, (_, n) => n)
      .filter(isSketched)
      .map((n) => ({ value: { docId: idOf(n), version, keys: keysOf(n) }, ...place(n) }))
    for (const store of stores) for (const _ of [0, 1]) await store.addSketches(sketches)
    const placesOf = (offsetNext: number) =>
      Array.from({ length: partitions }, (_, partition) => ({ topic: topics.sketches.name, partition, offsetNext }))
    const labelOffsets = [...asOf(1), ...placesOf(documents)]
    const there = Array.from({ length: documents }, (_, n) => n).filter((n) => isSketched(n) && n % 10 !== 0)
    const inOrder = there.map((n) => ({ n, id: idOf(n) })).sort((a, b) => (a.id < b.id ? -1 : 1))
    for (const atMost of [1, 2]) {
      const duplicates = { version, atMost }
      const groups = await same(async (store) => {
        const corpus = await store.view({ columns, labelOffsets, readsOf: null, duplicates })
        return new Set(await corpus.groups())
      })
      // Read literally from SELECTION.md: of each key those of the lowest ids.
      const before = new Map<number, number>()
      const left = inOrder.filter(({ n }) => {
        const ranks = keysOf(n).map((key) => before.get(key) ?? 0)
        for (const [i, key] of keysOf(n).entries()) before.set(key, ranks[i]! + 1)
        return ranks.every((rank) => rank < atMost)
      })
      expect([...groups].reduce((sum, group) => sum + group.documents, 0)).toBe(left.length)
      expect(left.length).toBeLessThan(there.length - 100)
      const crowded = await same(async (store) => sorted(await store.crowdedOut({ columns, labelOffsets, duplicates })))
      expect(crowded.length).toBeGreaterThan(100)
    }
    const half = { columns, labelOffsets: [...asOf(1), ...placesOf(documents / partitions / 2)] }
    const preparing = await same((store) => store.sketched(half, version))
    expect(preparing.total).toBe(documents - documents / 10)
    expect(preparing.done / there.length).toBeCloseTo(0.5, 2)
  })

  test('keeps what was read, and answers for it, as one server does', async () => {
    const read = Array.from({ length: 900 }, (_, n) => idOf((n * 7) % documents)) as DocumentId[]
    const of = ({ sql }: ClickHouse) => new Exposures(sql, 'run')
    // A page twice, as after a kill.
    for (const clickHouse of [spread, single])
      for (const from of [0, 400, 400, 800])
        await of(clickHouse).add(3, from, read.slice(from, Math.min(from + 400, read.length)), columns)
    expect(await same((_, clickHouse) => of(clickHouse).counts())).toEqual(new Map([[3, read.length]]))
    const reads = [{ round: 3, timesAll: 1, onceMore: 100 }]
    expect(await same(async (_, clickHouse) => sorted(await of(clickHouse).byCell(reads)))).not.toHaveLength(0)
    await same(async (_, clickHouse) => sorted(await of(clickHouse).bySource(reads)))
    expect(await same((_, clickHouse) => of(clickHouse).byTimes(reads))).toEqual([
      ...[
        { times: 1, documents: 800 },
        { times: 2, documents: 100 },
      ],
    ])
    const places = [0, 399, 400, 899]
    const found = await same(async (_, clickHouse) =>
      (await of(clickHouse).at(3, places)).sort((a, b) => a.index - b.index),
    )
    expect(found.map(({ doc }) => doc)).toEqual(places.map((at) => read[at]))
  })

  test('keeps and destroys keys of texts, and knows what erasures have left, as one server does', async () => {
    const ids = Array.from({ length: 300 }, (_, n) => idOf(n)) as DocumentId[]
    const keysOf = ({ sql }: ClickHouse) => new ClickHouseTextKeys(sql)
    const list = { list: 'erasure/r', reason: 'erasure', by: 'b', recordedMs: 0, contained: null } as const
    const erased = ids.slice(0, 100)
    for (const [i, clickHouse] of [spread, single].entries()) {
      const wrapped = (epoch: number) =>
        ids.map((docId) => ({ docId, name: 'aaaaaaaa', epoch, wrapped: `of ${docId}` }))
      await keysOf(clickHouse).add(wrapped(1))
      await keysOf(clickHouse).add(wrapped(2).slice(0, 200))
      await stores[i]!.addExclusions(
        erased.map((docId, n) => ({ value: { docId, ...list, excluded: true }, partition: 0, offset: n })),
      )
    }
    const sortedIds = (found: Iterable<bigint>) => [...found].sort((a, b) => (a < b ? -1 : 1))
    const left = async () => {
      await same((_, clickHouse) => keysOf(clickHouse).epochs())
      const kept = await same(async (_, clickHouse) => sortedIds(await keysOf(clickHouse).keptThoughErased()))
      expect(await same((_, clickHouse) => keysOf(clickHouse).countKeptThoughErased())).toBe(kept.length)
      return kept
    }
    expect(await left()).toEqual(sortedIds(erased))
    expect(await same((_, clickHouse) => keysOf(clickHouse).requestsOf(ids))).toEqual(['r'])
    expect(await same(async (_, clickHouse) => sortedIds(await keysOf(clickHouse).askedToErase(ids)))).toEqual(
      sortedIds(erased),
    )
    expect(await same((_, clickHouse) => keysOf(clickHouse).notWrappedBy(2))).toBe(100)
    await same((_, clickHouse) => keysOf(clickHouse).wrappedBefore(2, undefined, 50))
    for (const clickHouse of [spread, single]) await keysOf(clickHouse).destroy(erased)
    expect(await left()).toEqual([])
    for (const clickHouse of [spread, single]) await keysOf(clickHouse).dropBefore(2)
    const kept = await same(async (_, clickHouse) =>
      sortedIds((await keysOf(clickHouse).of(ids)).map((key) => key.docId)),
    )
    expect(kept).toEqual(sortedIds(ids.slice(100, 200)))
  })

  test('answers all other questions as one server does', async () => {
    const ids = Array.from({ length: 400 }, (_, n) => idOf(n * 3)) as DocumentId[]
    await same((store) => store.committed())
    await same((store) => store.texts(ids))
    await same(async (_, { sql }) => await drawDocuments(sql, seedOf(1, 1, 'sample:topic'), 40))
    await same((_, { sql }) => countLabelled(sql, versions))
    await same((_, { sql }) => countIncomplete(sql, versions, ids))
    await same(async (_, { sql }) => {
      const counts = new Map<string, number>()
      for await (const { labels, documents: held } of countByLabels(sql, columns, ids))
        counts.set(labels.join(), (counts.get(labels.join()) ?? 0) + held)
      return counts
    })
    expect(await same((_, { sql }) => labelVersions(sql, 'topic'))).toHaveLength(2)
    await same(async (_, { sql }) => {
      const { cells, ...pairs } = await labelPairs(sql, 'topic', 'v1', 'v2')
      return { ...pairs, cells: cells.map((cell) => JSON.stringify(cell)).sort() }
    })
    await same((_, { sql }) => readDocument(sql, idOf(5), columns))
    expect(await same((_, { sql }) => readsBefore(sql, 'run', idOf(400), 2))).toBe(3)
    await same((_, { sql }) => documentsOfIds(sql, ids))
    await same((_, { sql }) => documentsOfTexts(sql, ['the 7th Harbour', 'the 8th Harbour']))
    const filter = {
      terms: [{ text: 'harbour', ranges: [] }],
      labels: [{ column: { actor: 'topic', version: 'v1' }, subcategory: 2 }],
    }
    const found = await same((_, { sql }) => findDocuments(sql, filter, { offset: 5, count: 20 }))
    expect(found.total).toBeGreaterThan(500)
  })

  test('forgets what a run has read, and counts it anew', async () => {
    for (const store of stores) await store.forgetReads('run')
    expect(await same((_, { sql }) => readsBefore(sql, 'run', idOf(400), 2))).toBe(0)
    for (const store of stores)
      await store.addReads(
        'run',
        0,
        (async function* () {
          yield new Map(Array.from({ length: 700 }, (_, n) => [idOf(n), 1] as const))
        })(),
      )
    expect(await same((_, { sql }) => readsBefore(sql, 'run', idOf(400), 2))).toBe(1)
  })

  test('refuses a cluster that the servers do not know, and tables that were made otherwise', async () => {
    await expect(checkCluster(spread.sql, 'elsewhere')).rejects.toThrow(`it knows ${servers.cluster}`)
    await expect(checkCluster(spread.sql, undefined)).rejects.toThrow('of a cluster, and no clickhouse.cluster')
    await using opened = new AsyncDisposableStack()
    const alone = opened.adopt(await createClickHouse({ url: servers.url, database: 'default' }), (one) => one.close())
    await alone.sql.command('CREATE TABLE winnow_migrations (name String) ENGINE = MergeTree ORDER BY name')
    for (let asked = 0; asked < servers.shards; asked++)
      await alone.sql.command(
        'CREATE TABLE IF NOT EXISTS winnow_migrations (name String) ENGINE = MergeTree ORDER BY name',
      )
    await expect(checkCluster(alone.sql, servers.cluster)).rejects.toThrow('of a single server')
  })

  test('the embedded ClickHouse has no clusters', async () => {
    const cluster = { name: 'c', shardKey }
    await expect(createClickHouse({ url: `chdb:${folder}`, cluster })).rejects.toMatchObject({ code: 'CONFIGURATION' })
  })
})
