import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asDocumentId, topics } from '../../../../schemas/index.ts'
import { ClickHouseStore } from '../../../../services/corpus/clickhouse-store.ts'
import { ClickHouseCorpus } from '../../../../services/corpus/clickhouse-view.ts'
import { SortedCorpus } from '../../../../services/corpus/sorted/sorted-corpus.ts'
import { SortedStates } from '../../../../services/corpus/sorted/states.ts'
import { type ClickHouse, createClickHouse } from '../../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../../services/runtime/clickhouse/migrate.ts'
import { parseSelectionConfig } from '../../../../topologies/selection/config.ts'
import type { Corpus } from '../../../../topologies/selection/corpus.ts'
import { select } from '../../../../topologies/selection/select.ts'
import { seedOf, splitmix64 } from '../../../../topologies/selection/u64.ts'

const column = { actor: 'topic', version: 'v1', topic: 'winnow.labels.topic' }
const documents = 4000
const rare = 20
const idOf = (n: number) => asDocumentId(splitmix64(BigInt(n)))
/** What the run of the tests below has read. */
const wasRead = new Set<bigint>(Array.from({ length: 1200 }, (_, n) => idOf(n)))
/** The last subcategory has a few documents only: its sample reaches furthest. */
const labelOf = (n: number) => (n < rare ? 5 : n % 3)
const options = {
  columns: [column],
  labelOffsets: [topics.documents.name, column.topic].map((topic) => ({ topic, partition: 0, offsetNext: documents })),
}

const folder = mkdtempSync(join(tmpdir(), 'winnow-sorted-'))
let clickHouse: ClickHouse
let store: ClickHouseStore
beforeAll(async () => {
  clickHouse = await createClickHouse({ url: `chdb:${folder}` })
  await migrate(clickHouse.sql)
  store = new ClickHouseStore(clickHouse.sql, { scannedMax: 0, pages: { first: 30, others: 500 } })
  const ids = Array.from({ length: documents }, (_, n) => idOf(n))
  const at = (n: number) => ({ partition: 0, offset: n })
  await store.addDocuments(
    ids.map((docId, n) => ({ value: { docId, text: '', meta: '{}', tokens: 1 + (n % 3) }, ...at(n) })),
  )
  const { actor, version } = column
  const label = (n: number) => ({ actor, version, subcategory: labelOf(n), score: 0.5, tokens: 1 + (n % 3) })
  await store.addLabels(ids.map((docId, n) => ({ value: { docId, ...label(n) }, ...at(n) })))
})
afterAll(async () => {
  await clickHouse.close()
  rmSync(folder, { recursive: true })
})

test('samples from ranges of the sorted table equal those from reading all of it', async () => {
  const state = await new SortedStates(clickHouse.sql).make(options)
  const wide = await store.view({ ...options, readsOf: null })
  for (const count of [1, 7, 300])
    for (const seed of [1, 2, 3].map((n) => seedOf(n, 1, 'sample:topic'))) {
      const expected = await wide.samples(0, seed, count)
      for (const scannedMax of [0, 100, 10_000])
        expect(await new SortedCorpus(clickHouse.sql, state, wide, { scannedMax }).samples(0, seed, count)).toEqual(
          expected,
        )
      expect(expected.get(5)).toHaveLength(Math.min(count, rare))
    }
})

describe('the documents that a run has read', () => {
  const actors = {
    topic: { subcategories: ['a', 'b', 'c', 'd', 'e', 'f'], initialWeights: [0.5, 0.4, 0.3, 0, 0, 0.6] },
  }
  const budgets = [{ documents: 1 }, { documents: 900 }, { documents: 10 ** 6 }, { tokens: 1700 }]
  const optionsOfReads = [{ repetitionDecay: 0.1 }, { repetitionDecay: 3 }, { repeat: 'exclude' }]

  beforeAll(async () => {
    // Two rounds: some documents twice, in both; one that takes part nowhere; and another run.
    const read = (first: number, count: number, times: number) =>
      async function* () {
        yield new Map(Array.from({ length: count }, (_, n) => [idOf(first + n), times] as const))
      }
    await store.addReads('run', 0, read(0, 800, 1)())
    await store.addReads('run', 1, read(700, 500, 2)())
    await store.addReads('run', 2, read(documents + 5, 1, 1)())
    await store.addReads('other', 0, read(0, documents, 7)())
  })

  const both = async (): Promise<[sorted: Corpus, wide: Corpus]> => {
    const given = { ...options, readsOf: 'run' }
    const wide = new ClickHouseCorpus(clickHouse.sql, given)
    const sorted = await store.view({ ...given, draws: true })
    expect(sorted).toBeInstanceOf(SortedCorpus)
    return [sorted, wide]
  }

  test('are described with what was read of them, by either table', async () => {
    const asked = [idOf(0), idOf(750), idOf(1100), idOf(2000), asDocumentId(1n)]
    for (const corpus of await both())
      expect(Object.fromEntries(await corpus.describe(asked, [0]))).toEqual(
        Object.fromEntries(
          [0, 750, 1100, 2000].map((n, i) => [
            idOf(n),
            { labels: [labelOf(n)], reads: [1, 3, 2, 0][i], tokens: 1 + (n % 3), scores: [0.5] },
          ]),
        ),
      )
  })

  test('split cells into groups', async () => {
    const [sorted, wide] = (await Promise.all((await both()).map((corpus) => corpus.groups()))).map((groups) =>
      groups.map((group) => JSON.stringify(group)).sort(),
    )
    expect(sorted).toEqual(wide)
    const byReads: Record<number, number> = {}
    for (const { reads, documents: held } of await (await both())[0].groups())
      byReads[reads] = (byReads[reads] ?? 0) + held
    expect(byReads).toEqual({ 0: documents - 1200, 1: 700, 2: 400, 3: 100 })
  })

  test.each(budgets.flatMap((budget) => optionsOfReads.map((option) => ({ budget, ...option }))))(
    'selects as by the wide table, in the same order, with %j',
    async (given) => {
      const config = parseSelectionConfig({ seed: 11, actors, firstSelection: 'weights', ...given })
      const results = []
      for (const corpus of await both()) {
        const selection = await select(corpus, config, 1, [[0.5, 0.4, 0.3, 0, 0, 0.6]], [1])
        const ids: bigint[] = []
        for await (const piece of selection.ids) ids.push(...piece)
        results.push({ ...selection, ids })
      }
      expect(results[0]).toEqual(results[1])
      expect(results[0]!.ids).toHaveLength(results[0]!.documents)
      if ('repeat' in given) expect(results[0]!.ids.filter((id) => wasRead.has(id))).toEqual([])
    },
  )

  test('do not change samples', async () => {
    const [sorted, wide] = await both()
    expect(await sorted.samples(0, seedOf(5, 1, 'sample:topic'), 9)).toEqual(
      await wide.samples(0, seedOf(5, 1, 'sample:topic'), 9),
    )
  })
})
