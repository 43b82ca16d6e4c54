import type { CorpusFeatures } from './corpus.ts'
import { type Annotated, distil } from './distil.ts'
import { dealFolds, designRows, type FitOptions, type Prepared, quantizeDesign, rowWeights, type View } from './fit.ts'
import { fitLinear, joinRows, type LinearModel, lossOf, predictLinear, type Target } from './linear.ts'

/** What the outputs are fitted to, and how. */
export interface OutputOptions {
  kind: 'regression' | 'classification'
  /** For a classification. */
  classes: string[]
  balance: number
  seed: number | string
  fit: FitOptions
}

/** One document in this many decides when to stop. */
const validationParts = 10

function targetOf({ kind, classes, balance }: OutputOptions, truth: number[], weights?: readonly number[]): Target {
  const outputs = kind === 'regression' ? 1 : classes.length
  const given = weights && shares(weights)
  return {
    kind,
    outputs,
    values: truth,
    rowWeights: given ?? rowWeights(truth, kind === 'classification' ? balance : 0),
  }
}

function shares(weights: readonly number[]): Float64Array {
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return Float64Array.from(weights, (weight) => weight / sum)
}

/** The views that a model serves: it is fitted on documents both with and without labels in their metadata. */
export const viewsOf = ({ fit }: OutputOptions): View[] => (fit.metadataTrust > 0 ? ['text', 'metadata'] : ['text'])

/** Weights rounded as shipped. */
export interface FittedOutputs {
  /** With the student, where there is one. */
  prepared: Prepared
  model: LinearModel
  iterations: number
}

/**
 * Fits the outputs on annotated documents. The number of iterations is found on a validation part first: a fit without it ends when `patience`
 * iterations have not lowered its loss, and the best iteration is the number for the fit on all.
 */
function fitOnAnnotated(prepared: Prepared, corpus: CorpusFeatures, annotated: Annotated, options: OutputOptions) {
  const views = viewsOf(options)
  const part = (places: number[]) => {
    const rows = places.map((i) => annotated.rows[i]!)
    const truth = places.map((i) => annotated.truth[i]!)
    const weights = annotated.weights && places.map((i) => annotated.weights![i]!)
    return {
      rows: joinRows(views.map((view) => designRows(prepared, corpus, rows, options.fit, view))),
      target: targetOf(
        options,
        views.flatMap(() => truth),
        weights && views.flatMap(() => weights),
      ),
    }
  }
  const all = annotated.rows.map((_, i) => i)
  const fold = dealFolds(all.length, validationParts, options.seed)
  const seen = part(all.filter((i) => fold[i] !== 0))
  const held = part(all.filter((i) => fold[i] === 0))
  let best = { iteration: 1, loss: Number.POSITIVE_INFINITY }
  fitLinear(seen.rows, seen.target, {
    ...options.fit,
    watch: (model, iteration) => {
      const loss = lossOf(held.rows, held.target, model)
      if (loss < best.loss) best = { iteration, loss }
      return iteration - best.iteration >= options.fit.patience
    },
  })
  const whole = part(all)
  const model = fitLinear(whole.rows, whole.target, { ...options.fit, iterations: best.iteration })
  return { model, iterations: best.iteration }
}

/** Everything that depends on the annotated documents: the student, if distillation is configured, and the outputs. */
export function fitOutputs(
  prepared: Prepared,
  corpus: CorpusFeatures,
  annotated: Annotated,
  others: number[],
  options: OutputOptions,
): FittedOutputs {
  const { classes, balance, fit } = options
  const distilled = options.kind === 'classification' && fit.distilledScale > 0 && others.length > 0
  const taught = distilled ? distil(prepared, corpus, annotated, others, classes, balance, fit) : prepared
  const { model, iterations } = fitOnAnnotated(taught, corpus, annotated, options)
  quantizeDesign(model, taught.idf.length)
  return { prepared: taught, model, iterations }
}

/** Scores of every annotated document, for each view, by outputs fitted without its fold. */
export function crossValidate(
  prepared: Prepared,
  corpus: CorpusFeatures,
  { rows, truth, weights }: Annotated,
  others: number[],
  folds: number,
  options: OutputOptions,
): Map<View, Float64Array[]> {
  const fold = dealFolds(rows.length, folds, options.seed)
  const scores = new Map(viewsOf(options).map((view) => [view, new Array<Float64Array>(rows.length)]))
  for (const held of new Set(fold)) {
    const seen = fold.flatMap((part, i) => (part === held ? [] : [i]))
    const unseen = fold.flatMap((part, i) => (part === held ? [i] : []))
    const annotated = {
      rows: seen.map((i) => rows[i]!),
      truth: seen.map((i) => truth[i]!),
      ...(weights && { weights: seen.map((i) => weights[i]!) }),
    }
    const fitted = fitOutputs(prepared, corpus, annotated, others, options)
    const documents = unseen.map((i) => rows[i]!)
    for (const [view, ofView] of scores) {
      const design = designRows(fitted.prepared, corpus, documents, options.fit, view)
      for (const [i, row] of predictLinear(design, fitted.model).entries()) ofView[unseen[i]!] = row
    }
  }
  return scores
}
