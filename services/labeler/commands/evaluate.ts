import type { TextFields } from '../../ingest/text-field.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { digestOfFiles } from '../../runtime/file-digest.ts'
import { spearman } from '../../runtime/statistics.ts'
import { modelFolder } from '../hashed/labeler.ts'
import { readModel } from '../hashed/model.ts'
import type { Labeler, LabelInput } from '../labeler.ts'
import { labelOfScore } from '../mapping.ts'
import { type Calibration, calibrateClasses, calibrateScores } from '../training/calibration.ts'
import { accuracy, confusionMatrix, macroF1, meanSquaredError } from '../training/metrics.ts'
import { type Annotation, fieldOf, kindOf, readAnnotations, readRows, truthOf } from '../training/rows.ts'
import { batchDocuments, type LabelerChoice, openLabeler } from './choice.ts'

export interface EvaluateOptions extends LabelerChoice {
  annotations: string
  /** Files of rows in any format that ingest reads; an annotation's `shard` is an index into this list. */
  corpus: string[]
  textFields?: TextFields
  /** Field of the annotations; default: the actor's name, or else the only one that holds what `kind` asks for. */
  task?: string
  /** What the field holds: scores, or names of subcategories. Default: judged by its first row. */
  kind?: 'regression' | 'classification'
}

export interface Evaluation {
  documents: number
  /** Annotated documents that got no label; not counted in the metrics. */
  unlabelled: number
  /** accuracy and macroF1 of subcategories (for scores: of their intervals), and for scores spearman and meanSquaredError. */
  metrics: Record<string, number>
  calibration: Calibration
  /** [true subcategory][predicted subcategory] */
  confusion: number[][]
  /** True if the model was trained on this very file of annotations, so that the metrics do not generalize. */
  trainedOnThese: boolean
}

/** Runs a labeler on annotated documents exactly as the service would. @throws WinnowError BAD_DATA, USAGE */
export async function evaluateCommand(options: EvaluateOptions): Promise<Evaluation> {
  const { subcategories, name } = options.actor
  const task = options.task ?? (await fieldOf(options.annotations, options.kind, name))
  const annotations = await readAnnotations(options.annotations, task)
  const kind = options.kind ?? kindOf(annotations)
  const truth = truthOf(annotations, kind === 'classification' ? subcategories : undefined, options.annotations)
  const inputs = await inputsOf(annotations, options)
  const known: number[] = []
  const guesses: number[] = []
  const scores: number[] = []
  const labeler = await openLabeler(options)
  try {
    for (let from = 0; from < inputs.length; from += batchDocuments) {
      for (const [i, result] of (await labeler.label(inputs.slice(from, from + batchDocuments))).entries()) {
        if (!result.ok) continue
        known.push(truth[from + i]!)
        guesses.push(result.subcategory)
        scores.push(result.score)
      }
    }
  } finally {
    await labeler.close()
  }
  const places = kind === 'classification' ? known : known.map((score) => placeOf(score, labeler, subcategories.length))
  const confusion = confusionMatrix(places, guesses, subcategories.length)
  const ofPlaces = { accuracy: accuracy(places, guesses), macroF1: macroF1(confusion) }
  const ofScores = { spearman: spearman(known, scores), meanSquaredError: meanSquaredError(known, scores) }
  const correct = places.map((place, i) => place === guesses[i])
  return {
    documents: known.length,
    unlabelled: inputs.length - known.length,
    metrics: kind === 'classification' ? ofPlaces : { ...ofScores, ...ofPlaces },
    calibration: kind === 'classification' ? calibrateClasses(scores, correct) : calibrateScores(scores, known),
    confusion,
    trainedOnThese: await isTrainedOn(options, options.annotations),
  }
}

/** Where the labeler would put a document of this score. */
function placeOf(score: number, { cut }: Labeler, count: number): number {
  const label = cut === undefined ? labelOfScore(score, count) : cut(score)
  return label.ok ? label.subcategory : 0
}

/** Texts and metadata of the annotated documents, in the annotations' order. */
async function inputsOf(
  annotations: Annotation[],
  { corpus, annotations: file, textFields }: EvaluateOptions,
): Promise<LabelInput[]> {
  const places = new Map<string, number[]>()
  for (const [i, { shard, line }] of annotations.entries()) {
    const key = `${shard}:${line}`
    places.set(key, [...(places.get(key) ?? []), i])
  }
  const inputs = new Array<LabelInput | undefined>(annotations.length).fill(undefined)
  for await (const { shard, line, text, meta } of readRows(corpus, textFields)) {
    for (const i of places.get(`${shard}:${line}`) ?? []) inputs[i] = { text, meta }
  }
  return inputs.map((input, i) => {
    if (input) return input
    const { shard, line, fileLine } = annotations[i]!
    throw new WinnowError(
      'BAD_DATA',
      `${file}:${fileLine + 1}: names shard ${shard}, line ${line}, which the corpus does not have`,
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
  return trained?.sha256 === (await digestOfFiles([annotations]))
}
