/**
 * What a draw by Gumbel over label scores costs, beside one over the scores of cells and beside the best cells without noise: a tenth of the documents, decided and read to the last
 * id, in seconds and as a ratio of one run. Three actors with 5, 7 and 13 subcategories, normal scores.
 * Run by hand: node test/bench/strategies.ts [documents...] (default 10^6 10^7).
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

const sizes = process.argv.slice(2).map(Number)
const actors = { quality: 5, domain: 7, topic: 13 }
const columns = Object.keys(actors).map((actor) => ({ actor, version: 'v1', topic: `winnow.labels.${actor}` }))
const rowsPerInsert = 5_000_000
/** Box and Muller, from hashes of the document's number. */
const normal = `sqrt(-2 * log((cityHash64(number, 'u') + 1) / 18446744073709551617)) * cos(2 * pi() * cityHash64(number, 'v') / 18446744073709551616)`

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
        `INSERT INTO corpus (doc, part, tokens, ${label}, ${score}, ${at}) SELECT ${all}, ${subcategory}, ${normal}, number FROM ${rows}`,
      )
    }
  }
}

const named = (name: string, size: number) =>
  [name, { subcategories: Array.from({ length: size }, (_, j) => `s${j}`) }] as const

/** Seconds of a selection by this score, and how many documents it read one by one. */
async function draw(
  corpus: Corpus,
  documents: number,
  score: object,
  sampler: object = { kind: 'gumbel', temperature: 2 },
): Promise<{ seconds: number; refined: number }> {
  const config = parseSelectionConfig({
    seed: 7,
    actors: Object.fromEntries(Object.entries(actors).map(([name, size]) => named(name, size))),
    budget: { documents: Math.floor(documents / 10) },
    strategy: { score, sampler },
  })
  const weights = config.actors.map(({ subcategories }, a) => subcategories.map((_, j) => Math.sin(a * 13 + j)))
  const began = performance.now()
  const selection = await select(corpus, config, 1, weights, [0.4, 0.3, 0.3])
  let selected = 0
  for await (const ids of selection.ids) selected += ids.length
  const seconds = (performance.now() - began) / 1000
  if (selected !== Math.floor(documents / 10)) throw new Error(`${selected} documents were selected`)
  return { seconds, refined: selection.strata.reduce((sum, { refined }) => sum + refined, 0) }
}

for (const documents of sizes.length > 0 ? sizes : [1_000_000, 10_000_000]) {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
  const { sql, close } = await createClickHouse({ url: `chdb:${folder}` })
  await migrate(sql)
  const store = new ClickHouseStore(sql)
  await fill(sql, store, documents)
  const labelOffsets: TopicOffset[] = [topics.documents.name, ...columns.map(({ topic }) => topic)].map((topic) => ({
    ...{ topic, partition: 0, offsetNext: documents },
  }))
  const view = await store.view({ columns, labelOffsets, readsOf: null, draws: true, scored: [0] })
  const label = { kind: 'label', actor: 'quality', standardize: 'corpus' }
  for (let time = 0; time < 2; time++) {
    const bestCells = await draw(view, documents, { kind: 'actors' }, { kind: 'top' })
    const byCells = await draw(view, documents, { kind: 'actors' })
    const byLabels = await draw(view, documents, label)
    const ratios = [byCells, bestCells].map(({ seconds }) => byLabels.seconds / seconds)
    console.log({ documents, bestCells, byCells, byLabels, ratios })
  }
  await close()
  rmSync(folder, { recursive: true })
}
process.exit(0)
