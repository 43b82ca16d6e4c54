import { createHash } from 'node:crypto'
import { type DocumentId, labelsTopic, parseJson, topics } from '../../schemas/index.ts'
import { flopsOf, type ModelCost } from '../../topologies/ledger/pieces.ts'
import { MemoryStore } from '../../topologies/memory-store.ts'
import type { LabelInput, LabelResult } from '../../topologies/stations/labeling.ts'
import type { ActorLabels } from '../config/config.ts'
import { documentId } from '../ingest/document-id.ts'
import { linesOfFile } from '../ingest/lines-of-file.ts'
import { parseRow } from '../ingest/row.ts'
import { createTokenCounter, defaultTokenCounting } from '../ingest/token-counter.ts'
import { createLabeler, Encoders } from '../labeler/labeler.ts'
import { WinnowError } from '../runtime/errors.ts'

/** Where the documents of an experiment are, and how they are labelled. */
export interface CorpusFiles {
  /** Absolute; formats as `winnow ingest` reads them. */
  readonly files: readonly string[]
  readonly textField: string
  readonly actors: readonly ActorLabels[]
  /** Paths in labelers are relative to it. */
  readonly baseFolder: string
}

/** A labelled corpus in memory, shared by all cells of an experiment. */
export interface ExperimentCorpus {
  readonly store: MemoryStore
  readonly documents: number
  /** By actor. */
  readonly versions: Readonly<Record<string, string>>
  /** What labelling the corpus costs, by actor (docs/ledger.md). */
  readonly labelFlops: Readonly<Record<string, number>>
  /** Rows without a text, and documents that an actor could not label: they take no part. */
  readonly leftOut: number
  /** Of documents, labels and scores: cells of equal digests are comparable. */
  readonly digest: string
}

/** Documents that a labeler gets at a time. */
const batch = 256

interface Row {
  readonly docId: DocumentId
  readonly text: string
  readonly meta: string
  readonly tokens: number
}

/**
 * Reads and labels a corpus. Ids are those that `winnow ingest` would give the files, in this order, on an empty cluster.
 * @throws WinnowError CONFIGURATION or BAD_DATA for files that cannot be read, or have no document
 */
export async function readCorpus(
  { files, textField, actors, baseFolder }: CorpusFiles,
  onLabelled: (done: number, total: number) => void = () => {},
  signal?: AbortSignal,
): Promise<ExperimentCorpus> {
  const { rows, leftOut } = await readRows(files, textField)
  if (rows.length === 0)
    throw new WinnowError('BAD_DATA', `no row of ${files.join(', ')} has a text in the field '${textField}'`, {
      hint: 'Name the field with corpus.textField.',
    })
  const store = new MemoryStore()
  const hash = createHash('sha256')
  const offsets = new Map<string, number>()
  const at = <V>(topic: string, value: V) => {
    const offset = offsets.get(topic) ?? 0
    offsets.set(topic, offset + 1)
    return { value, partition: 0, offset }
  }
  await store.addDocuments(rows.map((row) => at(topics.documents.name, row)))
  for (const { docId, text, tokens } of rows) hash.update(`${docId} ${tokens} ${text.length}\n${text}\n`)
  const encoders = new Encoders()
  const versions: Record<string, string> = {}
  const labelFlops: Record<string, number> = {}
  const unlabelled = new Set<DocumentId>()
  let labelled = 0
  for (const actor of actors) {
    const labeler = await createLabeler(actor, actor.labeler, baseFolder, encoders)
    try {
      const read = { tokens: 0, documents: rows.length }
      for (let first = 0; first < rows.length; first += batch) {
        signal?.throwIfAborted()
        const some = rows.slice(first, first + batch)
        const results = await labelsOf(labeler, some)
        const labels = results.labels.flatMap((result, i) => {
          const { docId, tokens } = some[i]!
          read.tokens += results.read[i] ?? tokens
          if (!result.ok) {
            unlabelled.add(docId)
            return []
          }
          const { subcategory, score } = result
          hash.update(`${actor.name} ${docId} ${subcategory} ${score}\n`)
          const value = { docId, actor: actor.name, subcategory, score, tokens, version: labeler.version }
          return [at(labelsTopic(actor.name).name, value)]
        })
        await store.addLabels(labels)
        labelled += some.length
        onLabelled(labelled, rows.length * actors.length)
      }
      versions[actor.name] = labeler.version
      labelFlops[actor.name] = flopsOf(labeler.cost ?? none, read)
    } finally {
      await labeler.close()
    }
  }
  await store.commit([...offsets].map(([topic, offsetNext]) => ({ topic, partition: 0, offsetNext })))
  const documents = rows.length - unlabelled.size
  return { store, documents, versions, labelFlops, leftOut: leftOut + unlabelled.size, digest: hash.digest('hex') }
}

const none: ModelCost = { model: '', device: 'cpu', parameters: 0, parametersAll: 0, factor: 0 }

async function labelsOf(
  labeler: Awaited<ReturnType<typeof createLabeler>>,
  rows: readonly Row[],
): Promise<{ labels: LabelResult[]; read: number[] }> {
  const inputs = rows.map(({ text, meta }): LabelInput => ({ text, meta: parseJson(meta) }))
  if (labeler.labelRead !== undefined) return await labeler.labelRead(inputs)
  return { labels: await labeler.label(inputs), read: [] }
}

async function readRows(files: readonly string[], textField: string): Promise<{ rows: Row[]; leftOut: number }> {
  const countTokens = await createTokenCounter(defaultTokenCounting)
  const rows: Omit<Row, 'tokens'>[] = []
  let leftOut = 0
  for (const [source, file] of files.entries()) {
    for await (const line of linesOfFile(file)) {
      const parsed = parseRow(line, textField)
      if ('reason' in parsed) leftOut++
      else rows.push({ docId: documentId(source, line.row), ...parsed })
    }
  }
  const tokens = await countTokens(rows.map(({ text }) => text))
  return { rows: rows.map((row, i) => ({ ...row, tokens: tokens[i]! })), leftOut }
}
