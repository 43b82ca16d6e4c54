import { createHash } from 'node:crypto'
import { surfaceCount } from '../hashed/features.ts'
import { standardizeSurface, type Weights, weighEvidence } from '../hashed/model.ts'
import type { CorpusFeatures } from './corpus.ts'
import { inverseDocumentFrequency, surfaceStatistics, weighRows } from './features.ts'
import {
  appendDense,
  fitLinear,
  type LinearModel,
  predictLinear,
  type SparseRows,
  type Target,
  takeRows,
} from './linear.ts'

/** Strengths chosen by cross-validation; the scales weigh dense features against the n-grams, whose norm is 1. */
export interface FitOptions {
  /** An n-gram counts if at least this many documents of the corpus have it; at most this many n-grams are kept. */
  documentsMin: number
  rowsMax: number
  l2: number
  iterations: number
  auxiliaryL2: number
  auxiliaryIterations: number
  surfaceScale: number
  auxiliaryScale: number
  /** A fit of the outputs ends after this many iterations without a gain on the validation part. */
  patience: number
  /** For a classification: how the labels of annotated documents spread to the others; see `distil`. */
  distilledScale: number
  distilledIterations: number
  /** Power that sharpens the teacher's probabilities. */
  distilledSharpness: number
  /** Probability that an auxiliary label in a document's metadata is right; 0: labels in metadata are ignored. */
  metadataTrust: number
}

export interface AuxiliaryGroup {
  /** The field of meta that holds the label. */
  name: string
  classes: string[]
  /** As `metadataTrust`; without it the label in metadata is ignored. */
  trust?: number
}

/** Whether documents are seen by their text alone, or with the auxiliary labels in their metadata. */
export type View = 'text' | 'metadata'

/** The group of the outputs' own classes, learned from a teacher's predictions on unannotated documents. */
export const distilledName = 'distilled'

/** Everything that does not depend on which annotations are held out. */
export interface Prepared {
  /** n-gram values, [documents, rows of weights] */
  grams: SparseRows
  idf: Float32Array
  surface: { means: number[]; scales: number[] }
  groups: AuxiliaryGroup[]
  auxiliary: LinearModel
}

/** Rounds each output's weights to 255 levels, in place, and returns the int8 values [width, outputs] with the level of each output. */
export function quantize(model: LinearModel): { values: Int8Array; scales: Float32Array } {
  const { weights, outputs } = model
  const largest = new Float64Array(outputs)
  for (let i = 0; i < weights.length; i++) largest[i % outputs] = Math.max(largest[i % outputs]!, Math.abs(weights[i]!))
  const scales = Float32Array.from(largest, (value) => (value > 0 ? value / 127 : 1))
  const values = new Int8Array(weights.length)
  for (let i = 0; i < weights.length; i++) {
    values[i] = Math.round(weights[i]! / scales[i % outputs]!)
    weights[i] = values[i]! * scales[i % outputs]!
  }
  return { values, scales }
}

/** Weight of each value, proportional to (its frequency)^-balance: 0 weighs rows equally, 1 weighs classes equally. They sum to 1. */
export function rowWeights(values: ArrayLike<number>, balance: number): Float64Array {
  const counts = new Map<number, number>()
  for (let i = 0; i < values.length; i++) counts.set(values[i]!, (counts.get(values[i]!) ?? 0) + 1)
  const raw = Float64Array.from(values, (value) => counts.get(value)! ** -balance)
  const sum = raw.reduce((total, weight) => total + weight, 0)
  return raw.map((weight) => weight / sum)
}

/**
 * Fits the auxiliary classifiers. Annotated documents are excluded, so that in the final fit their auxiliary log-probabilities are those of
 * unseen texts, as they will be in use.
 */
export function prepare(
  corpus: CorpusFeatures,
  fields: string[],
  annotated: Set<number>,
  width: number,
  options: FitOptions,
): Prepared {
  const idf = inverseDocumentFrequency(corpus, width)
  const grams = weighRows(corpus, idf)
  const fitted = fields.map((name, field) => {
    const labelled = corpus.auxiliary.flatMap((labels, row) =>
      labels[field] === undefined || annotated.has(row) ? [] : [row],
    )
    const classes = [...new Set(labelled.map((row) => corpus.auxiliary[row]![field]!))].sort()
    const values = labelled.map((row) => classes.indexOf(corpus.auxiliary[row]![field]!))
    const target: Target = {
      kind: 'classification',
      outputs: classes.length,
      values,
      rowWeights: rowWeights(values, 0),
    }
    const model = fitLinear(takeRows(grams, labelled), target, {
      l2: options.auxiliaryL2,
      iterations: options.auxiliaryIterations,
    })
    return { group: { name, classes, ...(options.metadataTrust > 0 && { trust: options.metadataTrust }) }, model }
  })
  const auxiliary = joinOutputs(
    fitted.map(({ model }) => model),
    width,
  )
  return { grams, idf, surface: surfaceStatistics(corpus.surface), groups: fitted.map(({ group }) => group), auxiliary }
}

/** One model with the outputs of all. */
function joinOutputs(models: LinearModel[], width: number): LinearModel {
  const outputs = models.reduce((sum, model) => sum + model.outputs, 0)
  const weights = new Float64Array(width * outputs)
  let offset = 0
  for (const model of models) {
    for (let row = 0; row < width; row++)
      weights.set(model.weights.subarray(row * model.outputs, (row + 1) * model.outputs), row * outputs + offset)
    offset += model.outputs
  }
  return { weights, biases: Float64Array.from(models.flatMap((model) => [...model.biases])), outputs }
}

/** `prepared` with one more auxiliary classifier. */
export function withAuxiliary(prepared: Prepared, group: AuxiliaryGroup, model: LinearModel): Prepared {
  const auxiliary = joinOutputs([prepared.auxiliary, model], prepared.idf.length)
  return { ...prepared, groups: [...prepared.groups, group], auxiliary }
}

/** The scale of each auxiliary log-probability. */
function auxiliaryScales(groups: AuxiliaryGroup[], options: FitOptions): number[] {
  return groups.flatMap(({ name, classes }) =>
    classes.map(() => (name === distilledName ? options.distilledScale : options.auxiliaryScale)),
  )
}

/** n-grams, then scaled surface features, then scaled auxiliary log-probabilities of the chosen documents. */
export function designRows(
  prepared: Prepared,
  corpus: CorpusFeatures,
  chosen: number[],
  options: FitOptions,
  view: View,
): SparseRows {
  const rows = takeRows(prepared.grams, chosen)
  const { groups } = prepared
  const { means, scales } = prepared.surface
  const scaleOf = auxiliaryScales(groups, options)
  const hidden = predictLinear(rows, prepared.auxiliary)
  const dense = chosen.map((row, i) => {
    const given = groups.map(({ classes, trust }, field) =>
      view === 'metadata' && trust !== undefined ? classes.indexOf(corpus.auxiliary[row]![field] ?? '') : -1,
    )
    weighEvidence(hidden[i]!, groups, given)
    const surface = Array.from(
      { length: surfaceCount },
      (_, s) => options.surfaceScale * standardizeSurface(corpus.surface[row]!, means, scales, s),
    )
    return [...surface, ...hidden[i]!.map((value, h) => scaleOf[h]! * value)]
  })
  return appendDense(rows, dense)
}

/** A permutation of 0 to count - 1, by the SHA-256 of seed and number, dealt into `folds` parts. */
export function dealFolds(count: number, folds: number, seed: number | string): number[] {
  const keys = Array.from({ length: count }, (_, i) => createHash('sha256').update(`${seed}:fold:${i}`).digest('hex'))
  const order = keys.map((_, i) => i).sort((a, b) => (keys[a]! < keys[b]! ? -1 : 1))
  const fold = new Array<number>(count).fill(0)
  for (const [place, i] of order.entries()) fold[i] = place % folds
  return fold
}

/** Rounds the n-gram weights of a model of `designRows` to int8, in place; dense ones stay unchanged. */
export function quantizeDesign(model: LinearModel, width: number): { values: Int8Array; scales: Float32Array } {
  return quantize({ ...model, weights: model.weights.subarray(0, width * model.outputs) })
}

/**
 * Puts the auxiliary classifiers and the fitted outputs into the layout of weights.bin; the scales of dense features are folded into their
 * weights.
 */
export function assembleWeights(
  kept: Uint32Array,
  prepared: Prepared,
  model: LinearModel,
  options: FitOptions,
): Weights {
  // Already rounded weights do not change.
  const auxiliary = quantize(prepared.auxiliary)
  const scaleOf = auxiliaryScales(prepared.groups, options)
  const rows = prepared.idf.length
  const hidden = prepared.auxiliary.outputs
  const { outputs } = model
  const output = quantizeDesign(model, rows)
  const width = hidden + outputs
  const joined = new Int8Array(rows * width)
  for (let row = 0; row < rows; row++) {
    joined.set(auxiliary.values.subarray(row * hidden, (row + 1) * hidden), row * width)
    joined.set(output.values.subarray(row * outputs, (row + 1) * outputs), row * width + hidden)
  }
  const surfaceStart = rows * outputs
  const auxiliaryStart = surfaceStart + surfaceCount * outputs
  return {
    kept,
    idf: prepared.idf,
    columnScales: Float32Array.from([...auxiliary.scales, ...output.scales]),
    auxiliaryBiases: Float32Array.from(prepared.auxiliary.biases),
    surfaceWeights: Float32Array.from(
      model.weights.subarray(surfaceStart, auxiliaryStart),
      (value) => value * options.surfaceScale,
    ),
    auxiliaryWeights: Float32Array.from(
      model.weights.subarray(auxiliaryStart),
      (value, i) => value * scaleOf[Math.floor(i / outputs)]!,
    ),
    biases: Float32Array.from(model.biases),
    rows: joined,
  }
}
