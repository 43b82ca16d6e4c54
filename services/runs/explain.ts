import { type DocumentId, type Manifest, type Offset, type Partition, topics } from '../../schemas/index.ts'
import { columnsOf } from '../../topologies/corpus-store.ts'
import { type ExplainedDocument, type Explanation, explain } from '../../topologies/explain.ts'
import { explainStrategy, roundOfStrategy } from '../../topologies/explain-strategy.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { readsMatter } from '../../topologies/selection/reads.ts'
import type { Runtime } from '../connections/connections.ts'
import { readDocument, readsBefore, type StoredDocument } from '../corpus/document.ts'
import { readManifests } from './recorded.ts'

/** Why a document was or was not selected, round by round; undefined if the corpus has no such document. */
export async function explainDocument(
  runtime: Runtime,
  run: RunConfig,
  docId: DocumentId,
): Promise<{ document: StoredDocument; explanations: Explanation[] } | undefined> {
  const columns = columnsOf(run)
  const sql = runtime.clickHouse.sql
  // A run may be asked about before the first label of one of its actors.
  for (const { actor, version } of columns) await runtime.store.ensureColumns(actor, version)
  const document = await readDocument(sql, docId, columns)
  if (document === undefined) return undefined
  const { labels } = document
  if (labels === null) return { document, explanations: [] }
  const explanations: Explanation[] = []
  for (const manifest of await readManifests(runtime, run.name)) {
    const reads = readsMatter(run.selection) ? await readsBefore(sql, run.name, docId, manifest.round) : 0
    const before = (topic: string, offset: Offset | null) =>
      offset !== null && offset < limitOf(manifest, topic, document.partition)
    const tookPart =
      before(topics.documents.name, document.documentOffset) &&
      labels.every(({ offset }, i) => before(columns[i]!.topic, offset))
    const explained: ExplainedDocument = {
      ...{ docId, reads, tookPart, tokens: document.tokens },
      labels: labels.map(({ subcategory }) => subcategory),
      scores: labels.map(({ score }) => score),
    }
    const { strategy } = run.selection
    if (strategy === undefined) explanations.push(explain(run.selection, manifest, explained))
    else {
      const readsOf = readsMatter(run.selection) ? run.name : null
      const { labelOffsets } = manifest
      const corpus = await runtime.store.view({ columns, labelOffsets, readsOf, draws: false })
      const round = await roundOfStrategy(run.selection, strategy, corpus)
      explanations.push(explainStrategy(run.selection, strategy, manifest, explained, round))
    }
  }
  return { document, explanations }
}

const limitOf = (manifest: Manifest, topic: string, partition: Partition): number =>
  manifest.labelOffsets.find((offset) => offset.topic === topic && offset.partition === partition)?.offsetNext ?? 0
