import {
  type DocumentId,
  type Manifest,
  type Offset,
  type Partition,
  type TopicOffset,
  topics,
} from '../../schemas/index.ts'
import { columnsOf, duplicatesOf, type LabelColumn, mayExclude, takingPart } from '../../topologies/corpus-store.ts'
import { type ExplainedDocument, type Explanation, explain } from '../../topologies/explain.ts'
import { explainStrategy, roundOfStrategy } from '../../topologies/explain-strategy.ts'
import type { Configuration } from '../../topologies/rounds/configuration.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { guardRules } from '../../topologies/selection/guards-config.ts'
import { naturalShare } from '../../topologies/selection/other-bound.ts'
import { readsMatter } from '../../topologies/selection/reads.ts'
import { decidedByCells, defaultStrategy } from '../../topologies/selection/strategy.ts'
import type { Runtime } from '../connections/connections.ts'
import { crowdedBy } from '../corpus/crowd.ts'
import { readDocument, readsBefore, readsByConditions, type StoredDocument } from '../corpus/document.ts'
import { exclusionsOf, listsAsOf } from '../corpus/exclusions.ts'
import { shownText } from '../corpus/readable.ts'
import { readChanges } from './actor-changes.ts'
import { readManifests } from './recorded.ts'

/**
 * Why a document was or was not selected, round by round, and as what each round saw it; undefined if the corpus has no such document.
 */
export async function explainDocument(
  runtime: Runtime,
  run: RunConfig,
  docId: DocumentId,
): Promise<{ document: StoredDocument; explanations: Explanation[]; inputs: ExplainedDocument[] } | undefined> {
  const sql = runtime.clickHouse.sql
  const { configuration } = await readChanges(runtime, run)
  const documents = new Map<string, StoredDocument | undefined>()
  const documentFor = async (columns: readonly LabelColumn[]) => {
    const key = JSON.stringify(columns)
    if (documents.has(key)) return documents.get(key)
    // A run may be asked about before the first label of one of its actors.
    for (const { actor, version } of columns) await runtime.store.ensureColumns(actor, version)
    const found = await readDocument(sql, docId, columns)
    documents.set(key, found)
    return found
  }
  const document = await documentFor(columnsOf(run))
  if (document === undefined) return undefined
  const before = (labelOffsets: readonly TopicOffset[], topic: string, offset: Offset | null) =>
    offset !== null && offset < limitOf(labelOffsets, topic, document.partition)
  const exclusions = await exclusionsOf(sql, docId)
  const explanations: Explanation[] = []
  const inputs: ExplainedDocument[] = []
  const manifests = await readManifests(runtime, run.name)
  for (const [i, manifest] of manifests.entries()) {
    const ofRound = configuration.at(manifest.round)
    const { selection } = ofRound
    const columns = columnsOf(ofRound)
    const labels = (await documentFor(columns))?.labels ?? null
    if (labels === null) continue
    const wasThere = (labelOffsets: readonly TopicOffset[]): boolean =>
      before(labelOffsets, topics.documents.name, document.documentOffset) &&
      labels.every(({ offset }, a) => before(labelOffsets, columns[a]!.topic, offset))
    const tookPart = (labelOffsets: readonly TopicOffset[]): boolean =>
      wasThere(labelOffsets) && listsAsOf(exclusions, labelOffsets).length === 0
    const subcategories = labels.map(({ subcategory }) => subcategory)
    const reads = await readsAt(
      sql,
      configuration,
      manifests.slice(0, i + 1),
      { docId, labels: subcategories },
      tookPart,
    )
    const { labelOffsets } = manifest
    const isThere = tookPart(labelOffsets)
    const limit = isThere ? duplicatesOf(ofRound) : undefined
    const crowd = limit && (await crowdedBy({ store: runtime.store, sql }, docId, limit, { columns, labelOffsets }))
    const lists = wasThere(labelOffsets) ? listsAsOf(exclusions, labelOffsets).map(({ value }) => value.list) : []
    const explained: ExplainedDocument = {
      ...{
        docId,
        reads,
        tookPart: isThere && crowd === undefined,
        excludedBy: lists,
        tokens: document.tokens,
      },
      labels: subcategories,
      scores: labels.map(({ score }) => score),
      ...(crowd && { crowdedBy: crowd }),
    }
    inputs.push(explained)
    const isGuarded = guardRules(selection).length > 0 || naturalShare(selection) > 0
    const strategy = selection.strategy ?? (isGuarded ? defaultStrategy : undefined)
    if (strategy === undefined) explanations.push(explain(selection, manifest, explained))
    else {
      // What was read changes neither quantiles nor means.
      const corpus = await runtime.store.view({ ...takingPart(ofRound, manifest), draws: false })
      const round = await roundOfStrategy(selection, strategy, corpus)
      explanations.push(explainStrategy(selection, strategy, manifest, explained, round))
    }
  }
  return { document: { ...document, text: await shownText(runtime, document) }, explanations, inputs }
}

const limitOf = (labelOffsets: readonly TopicOffset[], topic: string, partition: Partition): number =>
  labelOffsets.find((offset) => offset.topic === topic && offset.partition === partition)?.offsetNext ?? 0

/** How often the document had been read when the last of these rounds opened. */
async function readsAt(
  sql: Runtime['clickHouse']['sql'],
  configuration: Configuration,
  manifests: readonly Manifest[],
  document: { docId: DocumentId; labels: readonly number[] },
  tookPart: (labelOffsets: readonly TopicOffset[]) => boolean,
): Promise<number> {
  const last = manifests.at(-1)!
  const { name, selection } = configuration.at(last.round)
  if (!readsMatter(selection)) return 0
  const earlier = manifests.slice(0, -1)
  // As `recordedBy` has it: once the cells are others, by documents.
  const runs = manifests.map(({ round }) => configuration.at(round))
  const sameCells = new Set(runs.map((run) => JSON.stringify(columnsOf(run)))).size === 1
  const decidedAlone = runs.every(
    ({ selection }) => decidedByCells(selection.strategy) && selection.duplicates === undefined,
  )
  const countedAlike = runs.every((run) => readsMatter(run.selection))
  const byDocuments = !sameCells || !decidedAlone || !countedAlike || mayExclude(last.labelOffsets)
  if (byDocuments) return await readsBefore(sql, name, document.docId, last.round)
  const rounds = earlier.map(({ round }) => round)
  return await readsByConditions(sql, name, rounds, document, tookPart)
}
