import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Document, type Label, labelsTopic, topics } from '../../schemas/index.ts'
import { ClickHouseStore } from '../../services/corpus/clickhouse-store.ts'
import { type ClickHouse, createClickHouse } from '../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../services/runtime/clickhouse/migrate.ts'
import { type At, type CorpusStore, columnsOf, type ViewOptions } from '../../topologies/corpus-store.ts'
import { MemoryStore } from '../../topologies/memory-store.ts'
import { select } from '../../topologies/selection/select.ts'
import type { BuildChildOptions } from './build-child.ts'
import { casesOf } from './cases.ts'
import { documentAt, labelOf, runNamed, subcategories } from './corpus.ts'
import { killAt, Service } from './service.ts'
import { openDatabase } from './world.ts'

const run = runNamed('any', { selection: { budget: { documents: 1500 } } })
const actors = Object.keys(subcategories)
const partitions = 3
const documents = 4000

/** A document and its labels, as they stand in the log; `late` ones have other labels. */
function at(n: number, offset: number, late = false): { document: At<Document>; labels: At<Label>[] } {
  const value = documentAt(n)
  const place = { partition: n % partitions, offset }
  const labels = actors.map((actor) => {
    const label = labelOf(actor, value.text)
    if (!label.ok) throw new Error('every document of this corpus has its labels')
    const subcategory = late ? 1 - Math.min(label.subcategory, 1) : label.subcategory
    return {
      value: { docId: value.docId, actor, subcategory, score: 1, tokens: value.tokens, version: 'v1' },
      ...place,
    }
  })
  return { document: { value, ...place }, labels }
}

/** Of documents from `first` on, in the order of the log. */
async function add(store: CorpusStore, first: number, count: number): Promise<void> {
  const all = Array.from({ length: count }, (_, i) => at(first + i, Math.floor((first + i) / partitions)))
  await store.addDocuments(all.map(({ document }) => document))
  await store.addLabels(all.flatMap(({ labels }) => labels))
}

const view: ViewOptions = {
  columns: columnsOf(run),
  labelOffsets: [topics.documents.name, ...actors.map((actor) => labelsTopic(actor).name)].flatMap((topic) =>
    Array.from({ length: partitions }, (_, partition) => ({
      topic,
      partition,
      offsetNext: Math.floor((documents - partition + partitions - 1) / partitions),
    })),
  ),
  readsOf: null,
  draws: true,
}

async function selection(store: CorpusStore) {
  const corpus = await store.view(view)
  const { ids, ...selected } = await select(
    corpus,
    run.selection,
    1,
    [
      [0.2, 0.8],
      [0.5, 0.3, 0.2],
    ],
    [0.6, 0.4],
  )
  const all: bigint[] = []
  for await (const some of ids) all.push(...some)
  return { ...selected, ids: all }
}

let expected: Awaited<ReturnType<typeof selection>>
const opened: ClickHouse[] = []
beforeAll(async () => {
  const store = new MemoryStore()
  await add(store, 0, documents)
  expected = await selection(store)
  expect(expected.ids).toHaveLength(1500)
})
afterAll(async () => {
  for (const clickHouse of opened) await clickHouse.close()
})

const kills = casesOf('build', { landing: 3, soak: 60 }, { 'store after rows of a step': 7, 'store after a step': 7 })

test.concurrent.for(kills)(
  'what sorts the corpus for draws is killed at $name, while records come in, and come late and twice: the selection is the same, to the id',
  async ({ crashes }, { onTestFinished }) => {
    const { clickhouseUrl, database } = await openDatabase()
    const given = { url: clickhouseUrl, database: database! }
    const clickHouse = await createClickHouse(given)
    opened.push(clickHouse)
    await migrate(clickHouse.sql)
    const store = new ClickHouseStore(clickHouse.sql)
    await add(store, 0, documents)
    const services: Service[] = []
    onTestFinished(async () => {
      for (const service of services) await service.kill()
    })
    const start = (crash?: BuildChildOptions['crash']) => {
      const options: BuildChildOptions = { clickHouse: given, view, rowsPerStep: 1000, ...(crash && { crash }) }
      services.push(new Service('build', 'build-child.ts', options))
      return services.at(-1)!
    }
    let wave = 0
    const last = await killAt(crashes, start, async () => {
      await add(store, documents + 300 * wave++, 300)
      // Behind the offsets of the selection: the same records again, and labels that say otherwise.
      const again = Array.from({ length: 200 }, (_, i) => at(i * 7, documents + 300 * wave + i, i % 2 === 0))
      await store.addDocuments(again.map(({ document }) => document))
      await store.addLabels(again.flatMap(({ labels }) => labels))
    })
    await last.said('sorted')
    expect(await selection(store)).toEqual(expected)
  },
)
