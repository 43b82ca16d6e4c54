/**
 * What each step of a round costs as the corpus grows, from the table sorted for drawing and, up to 10^7 documents, by scans of the wide
 * table: seconds, ratio, and how the cost grows. Three actors with 5, 7 and 13 subcategories, a tenth of the documents selected.
 * Run by hand on a quiet machine: node test/bench/scale.ts [documents...] (default 10^6 10^7; 10^8 needs about 8 GB of disk).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TopicOffset, topics } from '../../schemas/index.ts'
import { ClickHouseStore } from '../../services/corpus/clickhouse-store.ts'
import { columnNames } from '../../services/corpus/columns.ts'
import { createClickHouse } from '../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../services/runtime/clickhouse/migrate.ts'
import type { Sql } from '../../services/runtime/clickhouse/sql.ts'
import { parseSelectionConfig } from '../../topologies/selection/config.ts'
import type { Corpus } from '../../topologies/selection/corpus.ts'
import { select } from '../../topologies/selection/select.ts'
import { seedOf } from '../../topologies/selection/u64.ts'

const sizes = process.argv.slice(2).map(Number)
const documentsMaxWide = 10_000_000
const actors = { quality: 5, domain: 7, topic: 13 }
const columns = Object.keys(actors).map((actor) => ({ actor, version: 'v1', topic: `winnow.labels.${actor}` }))
const samplesPerSubcategory = 20
const rowsPerInsert = 5_000_000

/** Documents with ids of 64 bits, labels and tokens by their number, one insert an actor as the label sink makes them. */
async function fill(sql: Sql, store: ClickHouseStore, documents: number): Promise<void> {
  for (const { actor, version } of columns) await store.ensureColumns(actor, version)
  for (let first = 0; first < documents; first += rowsPerInsert) {
    const rows = `numbers(${first}, ${Math.min(rowsPerInsert, documents - first)})`
    const all = `cityHash64(number) AS doc, toUInt32(0) AS part, 200 + number % 1800 AS tokens`
    await sql.command(`INSERT INTO corpus (doc, part, tokens, at_document) SELECT ${all}, number FROM ${rows}`)
    for (const [i, column] of columns.entries()) {
      const { label, score, at } = columnNames(column)
      const subcategory = `cityHash64(number, ${i}) % ${Object.values(actors)[i]}`
      await sql.command(
        `INSERT INTO corpus (doc, part, tokens, ${label}, ${score}, ${at}) SELECT ${all}, ${subcategory}, 0, number FROM ${rows}`,
      )
    }
  }
}

const config = (documents: number, repeat: 'allow' | 'exclude') =>
  parseSelectionConfig({
    repeat,
    seed: 7,
    actors: Object.fromEntries(
      Object.entries(actors).map(([name, n]) => [
        name,
        { subcategories: Array.from({ length: n }, (_, j) => `s${j}`) },
      ]),
    ),
    budget: { documents: Math.floor(documents / 10) },
  })

const timed = async <T>(work: () => Promise<T>): Promise<[seconds: number, result: T]> => {
  const began = performance.now()
  const result = await work()
  return [(performance.now() - began) / 1000, result]
}

interface Steps {
  histogram: number
  samples: number
  decide: number
  emit: number
}

async function round(corpus: Corpus, documents: number, repeat: 'allow' | 'exclude' = 'allow'): Promise<Steps> {
  const run = config(documents, repeat)
  const [histogram] = await timed(() => corpus.groups())
  const [samples] = await timed(async () => {
    for (const [a, { name }] of run.actors.entries())
      await corpus.samples(a, seedOf(7, 1, `sample:${name}`), samplesPerSubcategory)
  })
  const weights = run.actors.map(({ subcategories }, a) => subcategories.map((_, j) => Math.sin(a * 13 + j)))
  const [decide, selection] = await timed(() => select(corpus, run, 1, weights, [0.4, 0.3, 0.3]))
  const [emit] = await timed(async () => {
    for await (const _ of selection.ids) {
      // Only as fast as they come.
    }
  })
  return { histogram, samples, decide, emit }
}

function compare(bySorted: Steps, byWide: Steps): void {
  const ratios = Object.fromEntries(
    Object.entries(byWide).map(([step, seconds]) => [step, seconds / bySorted[step as keyof Steps]]),
  )
  console.log('sorted', bySorted)
  console.log('wide', byWide, 'wide / sorted', ratios)
}

const asOf = (documents: number): TopicOffset[] =>
  [topics.documents.name, ...columns.map(({ topic }) => topic)].map((topic) => ({
    ...{ topic, partition: 0, offsetNext: documents },
  }))

for (const documents of sizes.length > 0 ? sizes : [1_000_000, 10_000_000]) {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
  const { sql, close } = await createClickHouse({ url: `chdb:${folder}` })
  await migrate(sql)
  const store = new ClickHouseStore(sql)
  await fill(sql, store, documents)
  const view = (share: number, draws: boolean) =>
    store.view({ columns, labelOffsets: asOf(Math.floor(documents * share)), readsOf: null, draws })
  const [first] = await timed(() => view(0.99, true))
  const [later, sorted] = await timed(() => view(1, true))
  console.log(`${documents} documents`)
  console.log({ 'first state': first, 'state of a percent more': later })
  const bySorted = await round(sorted, documents)
  console.log(`${Math.round(documents / 10 / bySorted.emit)} ids/s`)
  if (documents > documentsMaxWide) console.log('sorted', bySorted)
  if (documents <= documentsMaxWide) {
    // As it was before a state was made: another set of columns has none, and its documents are the same.
    const wide = await store.view({ columns, labelOffsets: asOf(documents - 1), readsOf: null })
    const byWide = await round(wide, documents)
    compare(bySorted, byWide)
    // A twentieth of the corpus has been read, and is not selected again.
    await sql.command(
      `INSERT INTO reads SELECT 'bench', 0, cityHash64(number), 1 FROM numbers(${Math.floor(documents / 20)})`,
    )
    const readsOf = 'bench'
    const ofReads = { columns, labelOffsets: asOf(documents), readsOf }
    const sortedReads = await store.view({ ...ofReads, draws: true })
    const wideReads = await store.view({ ...ofReads, labelOffsets: asOf(documents - 1) })
    console.log('what was read is excluded')
    compare(await round(sortedReads, documents, 'exclude'), await round(wideReads, documents, 'exclude'))
  }
  await close()
  rmSync(folder, { recursive: true })
}
process.exit(0)
