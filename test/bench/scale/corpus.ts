import { type TopicOffset, topics } from '../../../schemas/index.ts'
import type { ClickHouseStore } from '../../../services/corpus/clickhouse-store.ts'
import { columnNames } from '../../../services/corpus/columns.ts'
import type { Sql } from '../../../services/runtime/clickhouse/sql.ts'
import { columnsOf } from '../../../topologies/corpus-store.ts'
import { parseRunConfig, type RunConfig } from '../../../topologies/run-config.ts'

/** Actors with as many subcategories as the paper's: 455 cells. */
const actors = { quality: 5, domain: 7, topic: 13 }
const rowsPerInsert = 5_000_000

/** A run that selects this share of the corpus, with weights and theta that differ. */
export const scaleRun = (documents: number): RunConfig =>
  parseRunConfig({
    name: 'scale',
    selection: {
      seed: 7,
      budget: { documents },
      actors: Object.fromEntries(
        Object.entries(actors).map(([name, n]) => [
          name,
          { subcategories: Array.from({ length: n }, (_, j) => `s${j}`) },
        ]),
      ),
    },
    updateSteps: 10,
    steps: 100,
    labelers: Object.fromEntries(Object.keys(actors).map((actor) => [actor, 'v1'])),
    reference: { reward: 'r', evaluation: 'e', corpus: 'c' },
    model: 'm',
    checkpoints: 'k',
  })

const columns = columnsOf(scaleRun(1))

/** Documents are records 0, 1, .. of partition 0 of their topic, and so are their labels. */
export const asOf = (documents: number): TopicOffset[] =>
  [topics.documents.name, ...columns.map(({ topic }) => topic)].map((topic) => ({
    ...{ topic, partition: 0, offsetNext: documents },
  }))

/** Label of the document with this number for the actor with this index, by `number` as in ClickHouse's `numbers`. */
const subcategory = (actorIndex: number): string =>
  `cityHash64(number, ${actorIndex}) % ${Object.values(actors)[actorIndex]}`

/**
 * Documents with ids of 64 bits, whose labels and tokens depend on their number. One row each, as the table has them once the label sink's rows
 * are merged, so that the scans compared with do not pay for merging.
 */
export async function fill(sql: Sql, store: ClickHouseStore, documents: number): Promise<void> {
  for (const { actor, version } of columns) await store.ensureColumns(actor, version)
  const names = columns.flatMap((column) => {
    const { label, score, at } = columnNames(column)
    return [label, score, at]
  })
  const values = columns.map((_, i) => `${subcategory(i)}, 0, number`)
  for (let first = 0; first < documents; first += rowsPerInsert)
    await sql.command(
      `INSERT INTO corpus (doc, part, tokens, at_document, ${names.join(', ')})
       SELECT cityHash64(number), 0, 200 + number % 1800, number, ${values.join(', ')}
       FROM numbers(${first}, ${Math.min(rowsPerInsert, documents - first)})`,
    )
}

/** The same documents as lines for `simulate` and for the script in Python. */
export async function linesOf(sql: Sql, documents: number): Promise<string> {
  const labels = columns.map(({ actor }, i) => `"${actor}":', ${subcategory(i)}, '`).join(',')
  const line = `concat('{"docId":"', cityHash64(number), '","tokens":', 200 + number % 1800, ',"labels":{${labels}}}')`
  return await sql.queryText(`SELECT ${line} FROM numbers(${documents}) FORMAT TSVRaw`)
}

export { columns }
