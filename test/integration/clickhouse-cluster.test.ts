import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asDocumentId, type DocumentId, labelsTopic, topics } from '../../schemas/index.ts'
import { ClickHouseStore } from '../../services/corpus/clickhouse-store.ts'
import { readDocument, readsBefore } from '../../services/corpus/document.ts'
import { drawDocuments } from '../../services/corpus/draw.ts'
import { countByLabels, countIncomplete, countLabelled } from '../../services/corpus/label-counts.ts'
import { labelPairs, labelVersions } from '../../services/corpus/label-versions.ts'
import { documentsOfIds, documentsOfTexts, findDocuments } from '../../services/corpus/search.ts'
import { shardKey } from '../../services/corpus/shard-key.ts'
import { SortedCorpus } from '../../services/corpus/sorted/sorted-corpus.ts'
import { checkCluster } from '../../services/runtime/clickhouse/check-cluster.ts'
import { type ClickHouse, createClickHouse } from '../../services/runtime/clickhouse/client.ts'
import { ensureDatabase } from '../../services/runtime/clickhouse/database.ts'
import { migrate } from '../../services/runtime/clickhouse/migrate.ts'
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
