import type { DocumentId, Manifest } from '../../schemas/index.ts'
import { columnsOf, takingPart } from '../../topologies/corpus-store.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import type { Runtime } from '../connections/connections.ts'
import { countByLabels } from '../corpus/label-counts.ts'
import { selectionIds } from '../selections/chunks.ts'

/** Documents per subcategory, by actor in configuration order. */
export type Composition = readonly (readonly number[])[]

/** The corpus that a round saw, from its cells. */
export async function corpusComposition(runtime: Runtime, run: RunConfig, manifest: Manifest): Promise<Composition> {
  const view = await runtime.store.view(takingPart(run, manifest))
  const counts = empty(run)
  for (const { labels, documents } of await view.groups()) {
    for (const [a, j] of labels.entries()) counts[a]![j]! += documents
  }
  return counts
}

/** A round's selection, or its first `documents` in emission order: those that a trainer read. */
export async function selectionComposition(
  runtime: Runtime,
  run: RunConfig,
  manifest: Manifest,
  documents = manifest.documents,
): Promise<Composition> {
  const counts = empty(run)
  const ids: DocumentId[] = []
  for await (const chunk of selectionIds(runtime, manifest, 0)) ids.push(...chunk)
  const found = countByLabels(runtime.clickHouse.sql, columnsOf(run), ids.slice(0, documents))
  for await (const { labels, documents: some } of found) for (const [a, j] of labels.entries()) counts[a]![j]! += some
  return counts
}

const empty = (run: RunConfig): number[][] =>
  run.selection.actors.map(({ subcategories }) => subcategories.map(() => 0))
