import { type DocumentId, type Offset, type Partition, type TopicOffset, topics } from '../../schemas/index.ts'
import { columnsOf } from '../../topologies/corpus-store.ts'
import { type ExplainedDocument, type Explanation, explain } from '../../topologies/explain.ts'
import { explainStrategy, roundOfStrategy } from '../../topologies/explain-strategy.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { readsMatter } from '../../topologies/selection/reads.ts'
import { decidedByCells } from '../../topologies/selection/strata.ts'
import type { Runtime } from '../connections/connections.ts'
import { readDocument, readsBefore, readsByConditions, type StoredDocument } from '../corpus/document.ts'
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
  const before = (labelOffsets: readonly TopicOffset[], topic: string, offset: Offset | null) =>
    offset !== null && offset < limitOf(labelOffsets, topic, document.partition)
  const tookPart = (labelOffsets: readonly TopicOffset[]): boolean =>
    before(labelOffsets, topics.documents.name, document.documentOffset) &&
    labels.every(({ offset }, i) => before(labelOffsets, columns[i]!.topic, offset))
  const subcategories = labels.map(({ subcategory }) => subcategory)
  const explanations: Explanation[] = []
  const manifests = await readManifests(runtime, run.name)
  const readsAt = async (i: number): Promise<number> => {
    if (!readsMatter(run.selection)) return 0
    const earlier = manifests.slice(0, i)
    const actors = manifests[i]!.actors.join()
    // As `recordedBy` has it: once actors have changed, by documents.
    const byConditions = decidedByCells(run.selection.strategy) && earlier.every((one) => one.actors.join() === actors)
    if (!byConditions) return await readsBefore(sql, run.name, docId, manifests[i]!.round)
    const rounds = earlier.map(({ round }) => round)
    return await readsByConditions(sql, run.name, rounds, { docId, labels: subcategories }, tookPart)
  }
  for (const [i, manifest] of manifests.entries()) {
    const reads = await readsAt(i)
    const explained: ExplainedDocument = {
      ...{ docId, reads, tookPart: tookPart(manifest.labelOffsets), tokens: document.tokens },
      labels: subcategories,
      scores: labels.map(({ score }) => score),
    }
    const { strategy } = run.selection
    if (strategy === undefined) explanations.push(explain(run.selection, manifest, explained))
    else {
      // What was read changes neither quantiles nor means.
      const { labelOffsets } = manifest
      const corpus = await runtime.store.view({ columns, labelOffsets, readsOf: null, draws: false })
      const round = await roundOfStrategy(run.selection, strategy, corpus)
      explanations.push(explainStrategy(run.selection, strategy, manifest, explained, round))
    }
  }
  return { document, explanations }
}

const limitOf = (labelOffsets: readonly TopicOffset[], topic: string, partition: Partition): number =>
  labelOffsets.find((offset) => offset.topic === topic && offset.partition === partition)?.offsetNext ?? 0
