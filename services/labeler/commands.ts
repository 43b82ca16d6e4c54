import { z } from 'zod'
import { WinnowError } from '../runtime/errors.ts'
import { splitLines } from '../runtime/lines.ts'
import { modelFolder } from './hashed/labeler.ts'
import { type ModelFile, readModel } from './hashed/model.ts'
import { createLabeler, type Labeler, type LabelerConfigInput, type LabelInput, labelerConfig } from './labeler.ts'
import { defaultFeatures, defaultFit, type TrainOptions, train } from './train.ts'
import { measure } from './training/metrics.ts'
import { type Annotation, fileDigest, readAnnotations, readRows, truthOf } from './training/rows.ts'
import type { ActorOfLabels } from './types.ts'

/** Documents in work at a time: bounds the memory of the commands. */
const batchSize = 512

/** Takes text away, waiting while the receiver is full. */
export type Write = (text: string) => Promise<void>

export interface TrainCommandOptions
  extends Pick<TrainOptions, 'task' | 'kind' | 'classes' | 'annotations' | 'corpus' | 'out'> {
  auxiliaryFields?: string[]
  seed?: number
  folds?: number
  balance?: number
  features?: Partial<TrainOptions['features']>
  fit?: Partial<TrainOptions['fit']>
}

/** Trains a hashed model with defaults for what is left out; see `train`. */
export async function trainCommand(
  options: TrainCommandOptions,
  progress?: (step: string) => void,
): Promise<ModelFile> {
  return await train(
    {
      ...options,
      auxiliaryFields: options.auxiliaryFields ?? [],
      seed: options.seed ?? 0,
      folds: options.folds ?? 5,
      balance: options.balance ?? 0,
      features: { ...defaultFeatures, ...options.features },
      fit: { ...defaultFit, ...options.fit },
    },
    progress,
  )
}

export interface LabelerChoice {
  actor: ActorOfLabels
  labeler: LabelerConfigInput
  /** Relative paths in `labeler` start here. */
  baseFolder: string
}

function open({ actor, labeler, baseFolder }: LabelerChoice): Promise<Labeler> {
  const parsed = labelerConfig.safeParse(labeler)
  if (parsed.success) return createLabeler(actor, parsed.data, baseFolder)
  throw new WinnowError('CONFIGURATION', `Labeler of actor ${actor.name}: ${z.prettifyError(parsed.error)}`, {
    hint: 'Kinds are metadata, hashed and onnx; see the README, "Labelers".',
  })
}

export interface Evaluation {
  documents: number
  /** Annotated documents that got no label; they are not in the metrics. */
  unlabelled: number
  metrics: Record<string, number>
  confusion?: number[][]
  /** True if the model was trained on this very file of annotations, so that the metrics say nothing about other documents. */
  trainedOnThese: boolean
}

/**
 * Runs a labeler, as it would run in the service, over annotated documents. `kind` says what the annotations' field `task` holds: the name of a
 * subcategory, or a score to be compared with the labeler's.
 * @throws WinnowError BAD_DATA
 */
export async function evaluateCommand(
  options: LabelerChoice & Pick<TrainOptions, 'task' | 'kind' | 'annotations' | 'corpus'>,
): Promise<Evaluation> {
  const classes = options.kind === 'classification' ? options.actor.subcategories : undefined
  const annotations = readAnnotations(options.annotations, options.task)
  const truth = truthOf(annotations, classes, options.annotations)
  const inputs = await inputsOf(annotations, options.corpus, options.annotations)
  const labeler = await open(options)
  try {
    const known: number[] = []
    const scores: number[][] = []
    for (let from = 0; from < inputs.length; from += batchSize) {
      for (const [i, result] of (await labeler.label(inputs.slice(from, from + batchSize))).entries()) {
        if (!result.ok) continue
        known.push(truth[from + i]!)
        scores.push(classes ? classes.map((_, k) => (k === result.subcategory ? 1 : 0)) : [result.score])
      }
    }
    const { metrics, ...details } = measure(known, scores, classes)
    return {
      documents: known.length,
      unlabelled: inputs.length - known.length,
      metrics,
      ...('confusion' in details ? { confusion: details.confusion } : {}),
      trainedOnThese: await isTrainedOn(options, options.annotations),
    }
  } finally {
    await labeler.close()
  }
}

/** Texts and metadata of the annotated documents, in the annotations' order. */
async function inputsOf(annotations: Annotation[], corpus: string[], file: string): Promise<LabelInput[]> {
  const places = new Map<string, number[]>()
  for (const [i, { shard, line }] of annotations.entries()) {
    const key = `${shard}:${line}`
    places.set(key, [...(places.get(key) ?? []), i])
  }
  const inputs = new Array<LabelInput | undefined>(annotations.length).fill(undefined)
  for await (const { shard, line, text, meta } of readRows(corpus)) {
    for (const i of places.get(`${shard}:${line}`) ?? []) inputs[i] = { text, meta }
  }
  return inputs.map((input, i) => {
    if (input) return input
    const { shard, line } = annotations[i]!
    throw new WinnowError(
      'BAD_DATA',
      `${file}:${i + 1}: names shard ${shard}, line ${line}, which the corpus does not have`,
      {
        hint: 'Give the corpus files in the order that the annotations number them.',
      },
    )
  })
}

async function isTrainedOn({ labeler, baseFolder }: LabelerChoice, annotations: string): Promise<boolean> {
  if (labeler.kind !== 'hashed') return false
  const { file } = readModel(modelFolder(labeler.model, baseFolder))
  const trained = file.training.annotations as { sha256?: string } | undefined
  return trained?.sha256 === (await fileDigest(annotations))
}

const labelRow = z.looseObject({ text: z.string(), meta: z.unknown().optional() })

/**
 * Labels JSONL rows `{"text", "meta"}`: writes `{"line", "subcategory", "index", "score"}` in their order, lines counted from 0. A row that cannot
 * be labelled goes to `reject` as `{"line", "reason", "message"}` instead, and the rest goes on.
 */
export async function labelCommand(
  options: LabelerChoice,
  rows: AsyncIterable<Uint8Array>,
  write: Write,
  reject: Write,
): Promise<{ labelled: number; rejected: number }> {
  const labeler = await open(options)
  const counts = { labelled: 0, rejected: 0 }
  const flush = async (batch: { line: number; input: LabelInput | undefined }[]) => {
    const readable = batch.filter((row): row is { line: number; input: LabelInput } => row.input !== undefined)
    const results = await labeler.label(readable.map(({ input }) => input))
    const byLine = new Map(readable.map(({ line }, i) => [line, results[i]!]))
    let labels = ''
    let rejects = ''
    for (const { line } of batch) {
      const result = byLine.get(line) ?? {
        ok: false,
        reason: 'bad-row',
        message: 'Not a JSON object with a string "text".',
      }
      if (result.ok) {
        counts.labelled++
        const subcategory = options.actor.subcategories[result.subcategory]
        labels += `${JSON.stringify({ line, subcategory, index: result.subcategory, score: result.score })}\n`
      } else {
        counts.rejected++
        rejects += `${JSON.stringify({ line, reason: result.reason, message: result.message })}\n`
      }
    }
    if (labels) await write(labels)
    if (rejects) await reject(rejects)
  }
  try {
    let batch: { line: number; input: LabelInput | undefined }[] = []
    let line = 0
    for await (const text of splitLines(rows)) {
      batch.push({ line: line++, input: inputOfRow(text) })
      if (batch.length < batchSize) continue
      await flush(batch)
      batch = []
    }
    await flush(batch)
  } finally {
    await labeler.close()
  }
  return counts
}

function inputOfRow(text: string): LabelInput | undefined {
  try {
    const parsed = labelRow.safeParse(JSON.parse(text))
    return parsed.success ? { text: parsed.data.text, meta: parsed.data.meta } : undefined
  } catch {
    return undefined
  }
}
