import type { TextFields } from '../../ingest/text-field.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { digestOfFiles } from '../../runtime/file-digest.ts'
import { batchDocuments, type LabelerChoice, openLabeler } from '../commands/choice.ts'
import type { Labeler } from '../labeler.ts'
import { type CorpusRow, readRows } from '../training/rows.ts'
import { type DsirFile, writeDsir } from './model.ts'
import { bucketCount, NgramCounter } from './ngrams.ts'

/** Where the target's texts are from: files of their own, or the documents of the corpus that a labeler puts into a subcategory. */
export type DsirTarget =
  | { readonly files: readonly string[] }
  | { readonly choice: LabelerChoice; readonly subcategory: string }

export interface DsirFitOptions {
  /** Files of rows in any format that ingest reads. */
  readonly corpus: readonly string[]
  readonly textFields?: TextFields
  readonly target: DsirTarget
  /** Receives dsir.json. */
  readonly out: string
}

interface Tally {
  readonly counts: Float64Array
  documents: number
}

/**
 * Counts the hashed n-grams of the corpus and of the target (fit_importance_estimator with num_tokens_to_fit="all"), and writes them. Rows that
 * ingest would reject are left out and counted. @throws WinnowError BAD_DATA for a corpus or target without a word; CONFIGURATION for a
 * subcategory that the actor does not have
 */
export async function fitDsir({ corpus, textFields, target, out }: DsirFitOptions): Promise<DsirFile> {
  const counter = new NgramCounter()
  const tally = (): Tally => ({ counts: new Float64Array(bucketCount), documents: 0 })
  const [ofCorpus, ofTarget] = [tally(), tally()]
  const count = (text: string, into: Tally) => {
    counter.add(text, into.counts)
    into.documents++
  }
  let rejected = 0
  const onRejected = () => {
    rejected++
  }
  if ('files' in target) {
    for await (const { text } of readRows([...corpus], textFields, onRejected)) count(text, ofCorpus)
    for await (const { text } of readRows([...target.files], textFields, onRejected)) count(text, ofTarget)
  } else {
    const wanted = subcategoryOf(target)
    const labeler = await openLabeler(target.choice)
    try {
      for await (const batch of batchesOf(readRows([...corpus], textFields, onRejected))) {
        const labels = await labelsOf(labeler, batch)
        for (const [i, { text }] of batch.entries()) {
          count(text, ofCorpus)
          if (labels[i] === wanted) count(text, ofTarget)
        }
      }
    } finally {
      await labeler.close()
    }
  }
  const name = 'files' in target ? target.files.join(', ') : `${target.choice.actor.name}=${target.subcategory}`
  for (const [what, { counts }] of [
    ['the corpus', ofCorpus],
    [`the target ${name}`, ofTarget],
  ] as const) {
    if (counts.every((n) => n === 0))
      throw new WinnowError('BAD_DATA', `${what} has no text to count`, { hint: 'Name files with documents.' })
  }
  const digests = async (files: readonly string[]) => await Promise.all(files.map((file) => digestOfFiles([file])))
  const file: DsirFile = {
    format: 'winnow-dsir/1',
    target: name,
    training: {
      corpus: await digests(corpus),
      target: 'files' in target ? await digests(target.files) : [],
      corpusDocuments: ofCorpus.documents,
      targetDocuments: ofTarget.documents,
      rejected,
    },
    corpusCounts: [...ofCorpus.counts],
    targetCounts: [...ofTarget.counts],
  }
  writeDsir(out, file)
  return file
}

function subcategoryOf({ choice, subcategory }: Extract<DsirTarget, { choice: LabelerChoice }>): number {
  const { name, subcategories } = choice.actor
  const index = subcategories.indexOf(subcategory)
  if (index >= 0) return index
  throw new WinnowError('CONFIGURATION', `actor ${name} has no subcategory ${subcategory}`, {
    hint: `Its subcategories: ${subcategories.join(', ')}.`,
  })
}

async function* batchesOf(rows: AsyncIterable<CorpusRow>): AsyncGenerator<CorpusRow[]> {
  let batch: CorpusRow[] = []
  for await (const row of rows) {
    if (batch.push(row) < batchDocuments) continue
    yield batch
    batch = []
  }
  yield batch
}

/** Subcategories by row; undefined where there is no label. */
const labelsOf = async (labeler: Labeler, batch: CorpusRow[]): Promise<(number | undefined)[]> =>
  (await labeler.label(batch.map(({ text, meta }) => ({ text, meta })))).map((label) =>
    label.ok ? label.subcategory : undefined,
  )
