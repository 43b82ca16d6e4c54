import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { TextFields } from '../ingest/text-field.ts'
import { digestOfFiles } from '../runtime/file-digest.ts'
import { makeFolder } from '../runtime/make-folder.ts'
import { FeatureExtractor, type FeatureSpec } from './hashed/features.ts'
import { encodeWeights, type ModelFile, sha256 } from './hashed/model.ts'
import { locate, readCorpus } from './training/corpus.ts'
import { chooseBuckets, documentFrequency } from './training/features.ts'
import { assembleWeights, type FitOptions, prepare, quantize } from './training/fit.ts'
import { measure } from './training/metrics.ts'
import { crossValidate, fitOutputs } from './training/outputs.ts'
import { readAnnotations, truthOf } from './training/rows.ts'

/** What to train, and on what. */
export interface TrainOptions {
  /** A name, and the field of the annotations that holds the truth. */
  task: string
  kind: 'regression' | 'classification'
  /** For a classification, in order; an annotation of another class is an error. */
  classes: string[]
  annotations: string
  /** Files of rows in any format that ingest reads; an annotation's `shard` is an index into this list. */
  corpus: string[]
  textFields?: TextFields
  /** Fields of the rows' meta whose labels help: a classifier is trained for each. */
  auxiliaryFields: string[]
  /** Receives model.json, weights.bin and cross-validation.json. */
  out: string
  seed: number
  folds: number
  /** 0: every annotation has the same weight; 1: every class does. Classification only. */
  balance: number
  features: FeatureSpec
  fit: FitOptions
}

export const defaultFeatures: FeatureSpec = { characters: 3000, bits: 20, wordGrams: 2, characterGrams: [] }
export const defaultFit: FitOptions = {
  documentsMin: 4,
  rowsMax: 40_000,
  l2: 1e-4,
  iterations: 100,
  auxiliaryL2: 1e-5,
  auxiliaryIterations: 40,
  surfaceScale: 0.15,
  auxiliaryScale: 0.1,
  patience: 10,
  distilledScale: 0.3,
  distilledIterations: 25,
  distilledSharpness: 2.5,
  metadataTrust: 0,
}

async function keptBuckets({ corpus, textFields, features, fit }: TrainOptions): Promise<Uint32Array> {
  const everything = await readCorpus(corpus, new FeatureExtractor(features), [], textFields)
  return chooseBuckets(documentFrequency(everything, 2 ** features.bits), fit.documentsMin, fit.rowsMax)
}

/**
 * Trains a hashed model and writes it with its cross-validated metrics. The same inputs, options and Node version give the same bytes.
 * @throws WinnowError BAD_DATA for a broken row or annotation
 */
export async function train(options: TrainOptions, progress: (step: string) => void = () => {}): Promise<ModelFile> {
  const kept = await keptBuckets(options)
  const corpus = await readCorpus(
    options.corpus,
    new FeatureExtractor(options.features, kept),
    options.auxiliaryFields,
    options.textFields,
  )
  const annotations = await readAnnotations(options.annotations, options.task)
  const classes = options.kind === 'classification' ? options.classes : undefined
  const truth = truthOf(annotations, classes, options.annotations)
  const chosen = locate(annotations, corpus, options.annotations)
  progress(`${corpus.starts.length - 1} documents, ${chosen.length} annotations`)
  const prepared = prepare(corpus, options.auxiliaryFields, new Set(chosen), kept.length, options.fit)
  quantize(prepared.auxiliary)
  progress(
    `auxiliary classifiers: ${prepared.groups.map((group) => `${group.name} (${group.classes.length})`).join(', ')}`,
  )
  const balance = options.kind === 'classification' ? options.balance : 0
  const outputs = { ...options, balance, classes: classes ?? [] }
  const annotated = { rows: chosen, truth }
  const known = new Set(chosen)
  const others = corpus.surface.flatMap((_, row) => (known.has(row) ? [] : [row]))
  const scores = crossValidate(prepared, corpus, annotated, others, options.folds, outputs)
  const { metrics, ...details } = measure(truth, scores.get('text')!, classes)
  const withMetadata = scores.get('metadata')
  const all = { ...metrics, ...(withMetadata && { withMetadata: measure(truth, withMetadata, classes).metrics }) }
  progress(`${options.folds}-fold cross-validation: ${JSON.stringify(all)}`)
  const fitted = fitOutputs(prepared, corpus, annotated, others, outputs)
  const weights = encodeWeights(assembleWeights(kept, fitted.prepared, fitted.model, options.fit))
  const file: ModelFile = {
    format: 'winnow-hashed/1',
    task: options.task,
    kind: options.kind,
    classes: options.kind === 'regression' ? [] : options.classes,
    features: options.features,
    rows: kept.length,
    surface: prepared.surface,
    auxiliary: fitted.prepared.groups,
    weights: { sha256: sha256(weights), bytes: weights.length },
    training: {
      annotations: { rows: chosen.length, sha256: await digestOfFiles([options.annotations]) },
      corpus: await Promise.all(
        options.corpus.map(async (name) => ({ name: basename(name), sha256: await digestOfFiles([name]) })),
      ),
      documents: corpus.starts.length - 1,
      seed: options.seed,
      balance,
      ...options.fit,
      iterationsUsed: fitted.iterations,
    },
    metrics: {
      ...all,
      obtained: obtained(options, fitted.prepared.groups.length > prepared.groups.length),
    },
  }
  makeFolder(options.out)
  writeFileSync(join(options.out, 'weights.bin'), weights)
  writeFileSync(join(options.out, 'model.json'), `${JSON.stringify(file, null, 1)}\n`)
  writeFileSync(
    join(options.out, 'cross-validation.json'),
    `${JSON.stringify({ classes: file.classes, metrics, truth, ...details })}\n`,
  )
  return file
}

/** How the metrics were obtained, in words. */
function obtained({ folds, fit }: TrainOptions, distilled: boolean): string {
  const auxiliary =
    'The auxiliary classifiers were trained once, on documents without annotation; what depends on annotations'
  return [
    `${folds}-fold cross-validation over the annotations, by text alone, weights rounded as shipped. ${auxiliary}${distilled ? ' (teacher, student, stopping, outputs)' : ' (stopping, outputs)'} was fitted anew for each fold without it.`,
    ...(fit.metadataTrust > 0
      ? ['withMetadata: the same documents with the auxiliary labels that their metadata have.']
      : []),
    'The strengths were chosen by cross-validation on the same annotations, so a held-out score will be slightly lower.',
  ].join(' ')
}
