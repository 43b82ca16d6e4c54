import { FeatureExtractor, type FeatureSpec } from './hashed/features.ts'
import { encodeWeights, type ModelFile, sha256 } from './hashed/model.ts'
import { featuresOf } from './training/corpus.ts'
import { chooseBuckets, documentFrequency } from './training/features.ts'
import { assembleWeights, type FitOptions, prepare, quantize } from './training/fit.ts'
import { crossValidate, fitOutputs } from './training/outputs.ts'

/** Texts with the scores to be learned. All three are as long. */
export interface ScoredTexts {
  readonly texts: readonly string[]
  readonly scores: readonly number[]
  /** How much each counts, up to a factor; over 0. */
  readonly weights: readonly number[]
}

/** How a regression is fitted; recorded with it. */
export interface RegressionSettings {
  /** Of the folds and the validation split. */
  readonly seed: string
  readonly folds: number
  readonly features: FeatureSpec
  readonly fit: FitOptions
}

export interface FittedRegression {
  readonly kept: number
  readonly iterations: number
  /** About: 4 for each n-gram of a text and iteration, in each of the fits. */
  readonly flops: number
  /** Of each text, by fits that have not seen it. */
  readonly heldOut: readonly number[]
  /** model.json and weights.bin of a hashed model. */
  readonly files: (about: Pick<ModelFile, 'task' | 'training' | 'metrics'>) => { model: string; weights: Uint8Array }
}

/**
 * Fits a hashed linear model to scored texts and nothing else: which n-grams count, and how much, comes from these texts too, so that the result follows
 * from what is given, to the byte on one version of Node. As `train` does it for files, with a weight for each text.
 */
export async function fitRegression(given: ScoredTexts, settings: RegressionSettings): Promise<FittedRegression> {
  const { seed, folds, features, fit } = settings
  const read = (extractor: FeatureExtractor) =>
    featuresOf(
      given.texts.map((text, line) => ({ shard: 0, line, text, meta: {} })),
      extractor,
      [],
    )
  const everything = await read(new FeatureExtractor(features))
  const frequent = chooseBuckets(documentFrequency(everything, 2 ** features.bits), fit.documentsMin, fit.rowsMax)
  // Texts that share nothing still have lengths and the like.
  const kept = frequent.length > 0 ? frequent : Uint32Array.of(0)
  const corpus = await read(new FeatureExtractor(features, kept))
  const rows = given.texts.map((_, row) => row)
  const annotated = { rows, truth: [...given.scores], weights: given.weights }
  const prepared = prepare(corpus, [], new Set(rows), kept.length, fit)
  quantize(prepared.auxiliary)
  const options = { kind: 'regression', classes: [], balance: 0, seed, fit } as const
  const outputs = { ...options, classes: [] }
  const held = crossValidate(prepared, corpus, annotated, [], folds, outputs).get('text')!
  const fitted = fitOutputs(prepared, corpus, annotated, [], outputs)
  const weights = encodeWeights(assembleWeights(kept, fitted.prepared, fitted.model, fit))
  return {
    kept: kept.length,
    iterations: fitted.iterations,
    // Each fit is made twice: to find the number of iterations, and on everything.
    flops: 4 * corpus.rows.length * fitted.iterations * 2 * (folds + 1),
    heldOut: held.map(([score]) => score!),
    files: (about) => {
      const file: ModelFile = {
        ...{ format: 'winnow-hashed/1', kind: 'regression', classes: [], features, rows: kept.length },
        ...{ surface: prepared.surface, auxiliary: [], weights: { sha256: sha256(weights), bytes: weights.length } },
        ...about,
      }
      return { model: `${JSON.stringify(file, null, 1)}\n`, weights }
    },
  }
}
