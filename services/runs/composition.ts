import type { Manifest } from '../../schemas/index.ts'
import { columnsOf } from '../../topologies/corpus-store.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import type { Runtime } from '../connections/connections.ts'
import { columnNames } from '../corpus/columns.ts'
import type { SelectionReader } from '../selections/selection-reader.ts'

/** How many documents of each subcategory, by actor in configuration order. */
export type Composition = readonly (readonly number[])[]

/** The corpus that a round saw, out of its cells. */
export async function corpusComposition(runtime: Runtime, run: RunConfig, manifest: Manifest): Promise<Composition> {
  const columns = columnsOf(run)
  const view = await runtime.store.view({ columns, labelOffsets: manifest.labelOffsets, readsOf: null })
  const counts = empty(run)
  for (const { labels, documents } of await view.groups()) {
    for (const [a, j] of labels.entries()) counts[a]![j]! += documents
  }
  return counts
}

const idsPerQuery = 256

/** A round's selection, or the first `documents` of it in emission order: those that a trainer read. */
export async function selectionComposition(
  runtime: Runtime,
  run: RunConfig,
  manifest: Manifest,
  reader: SelectionReader,
  documents = manifest.documents,
): Promise<Composition> {
  const counts = empty(run)
  const labels = columnsOf(run).map((column) => columnNames(column).label)
  let ids: bigint[] = []
  for await (const chunk of reader.chunks(manifest)) ids.push(...chunk)
  ids = ids.slice(0, documents)
  for (let first = 0; first < ids.length; first += idsPerQuery) {
    const rows = await runtime.clickHouse.sql.query<Record<string, number>>(
      `SELECT ${labels.join(', ')} FROM corpus FINAL WHERE doc IN (SELECT arrayJoin({ids:Array(UInt64)}))`,
      { ids: ids.slice(first, first + idsPerQuery) },
    )
    for (const row of rows) for (const [a, label] of labels.entries()) counts[a]![row[label]!]! += 1
  }
  return counts
}

const empty = (run: RunConfig): number[][] =>
  run.selection.actors.map(({ subcategories }) => subcategories.map(() => 0))
