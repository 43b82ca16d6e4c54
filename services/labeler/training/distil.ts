import type { CorpusFeatures } from './corpus.ts'
import {
  designRows,
  distilledName,
  type FitOptions,
  type Prepared,
  quantize,
  rowWeights,
  withAuxiliary,
} from './fit.ts'
import { fitLinear, predictLinear, takeRows } from './linear.ts'

/** Softmax, raised to a power and renormalized, in place: a higher power follows the teacher's first choice more closely. */
function sharpen(logits: Float64Array, power: number): void {
  const maximum = logits.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
  let sum = 0
  for (const [k, value] of logits.entries()) {
    logits[k] = Math.exp(power * (value - maximum))
    sum += logits[k]!
  }
  for (let k = 0; k < logits.length; k++) logits[k]! /= sum
}

export interface Annotated {
  /** Indices of the documents. */
  rows: number[]
  /** Class of each, or its score. */
  truth: number[]
  /** Of each in a regression, up to a factor; left out: equal. */
  weights?: readonly number[]
}

/**
 * Spreads the classes of annotated documents to the rest of the corpus, and learns from there: a teacher, fitted on the annotated documents,
 * sees the auxiliary labels in the metadata besides the text; a student, which sees only the text, is fitted to the teacher's probabilities on
 * the documents in `others`. (Distillation with privileged information: Lopez-Paz et al. 2016.) The student's log-probabilities become
 * features of the outputs, like those of the other auxiliary classifiers.
 */
export function distil(
  prepared: Prepared,
  corpus: CorpusFeatures,
  { rows, truth }: Annotated,
  others: number[],
  classes: string[],
  balance: number,
  options: FitOptions,
): Prepared {
  const teacher = fitLinear(
    designRows(prepared, corpus, rows, options, 'metadata'),
    { kind: 'classification', outputs: classes.length, values: truth, rowWeights: rowWeights(truth, balance) },
    options,
  )
  const lessons = predictLinear(designRows(prepared, corpus, others, options, 'metadata'), teacher)
  for (const logits of lessons) sharpen(logits, options.distilledSharpness)
  const student = fitLinear(
    takeRows(prepared.grams, others),
    {
      kind: 'distribution',
      outputs: classes.length,
      values: lessons,
      rowWeights: new Float64Array(others.length).fill(1 / others.length),
    },
    { l2: options.auxiliaryL2, iterations: options.distilledIterations },
  )
  quantize(student)
  return withAuxiliary(prepared, { name: distilledName, classes }, student)
}
