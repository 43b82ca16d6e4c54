import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FeatureExtractor } from '../../../../services/labeler/hashed/features.ts'
import { defaultFit } from '../../../../services/labeler/train.ts'
import { type CorpusFeatures, readCorpus } from '../../../../services/labeler/training/corpus.ts'
import { distilledName, type Prepared, prepare } from '../../../../services/labeler/training/fit.ts'
import { predictLinear, takeRows } from '../../../../services/labeler/training/linear.ts'
import {
  crossValidate,
  fitOutputs,
  type OutputOptions,
  viewsOf,
} from '../../../../services/labeler/training/outputs.ts'
import { makeToy, toyClasses } from '../toy.ts'

const toy = makeToy()
const bits = 12
const fit = { ...defaultFit, documentsMin: 2, iterations: 60, l2: 1e-3, patience: 5 }
const options: OutputOptions = { kind: 'classification', classes: toyClasses, balance: 0, seed: 0, fit }
let corpus: CorpusFeatures
let prepared: Prepared
/** The annotated documents of the toy and the others, and the topic of each: its line's parity. */
const annotated = { rows: [] as number[], truth: [] as number[] }
const others: number[] = []
const topicOf = (row: number) => (row % 60) % 2

beforeAll(async () => {
  corpus = await readCorpus(
    toy.corpus,
    new FeatureExtractor({ characters: 3000, bits, wordGrams: 2, characterGrams: [] }),
    ['theme'],
  )
  for (let row = 0; row < 120; row++) {
    if ((row % 60) % 3 !== 0) others.push(row)
    else {
      annotated.rows.push(row)
      annotated.truth.push(topicOf(row))
    }
  }
  prepared = prepare(corpus, ['theme'], new Set(annotated.rows), 2 ** bits, fit)
})
afterAll(() => toy.remove())

const best = (scores: ArrayLike<number>) => Array.from(scores).indexOf(Math.max(...Array.from(scores)))

test('a corpus is read in the order of its files, with the labels in its metadata', () => {
  expect([corpus.shards[59], corpus.lines[59], corpus.shards[60], corpus.lines[60]]).toEqual([0, 59, 1, 0])
  expect(corpus.auxiliary.slice(0, 4)).toEqual([[undefined], ['theme 1'], ['theme 0'], [undefined]])
  expect(corpus.surface).toHaveLength(120)
})

test('an auxiliary classifier learns from documents that have its classes in their metadata', () => {
  expect(prepared.groups).toEqual([{ name: 'theme', classes: ['theme 0', 'theme 1'] }])
  const guesses = predictLinear(takeRows(prepared.grams, annotated.rows), prepared.auxiliary).map(best)
  expect(guesses).toEqual(annotated.truth)
})

describe('outputs', () => {
  test('are learned from the annotated documents, with a student of the rest of the corpus', () => {
    const fitted = fitOutputs(prepared, corpus, annotated, others, options)
    expect(fitted.prepared.groups.map(({ name }) => name)).toEqual(['theme', distilledName])
    expect(fitted.iterations).toBeGreaterThanOrEqual(1)
    expect(fitted.iterations).toBeLessThanOrEqual(fit.iterations)
    // The student, which saw no annotation, knows the classes of documents that nobody annotated.
    const student = predictLinear(takeRows(prepared.grams, others), fitted.prepared.auxiliary)
    expect(student.map((scores) => best(scores.slice(2)))).toEqual(others.map(topicOf))
  })

  test.each([
    ['a regression', { ...options, kind: 'regression' as const, classes: [] }],
    ['a scale of 0', { ...options, fit: { ...fit, distilledScale: 0 } }],
  ])('have no student for %s', (_, without) => {
    expect(fitOutputs(prepared, corpus, annotated, others, without).prepared).toBe(prepared)
  })

  test('are cross-validated by fits that have not seen the fold’s documents', () => {
    const scores = crossValidate(prepared, corpus, annotated, others, 5, options)
    expect([...scores.keys()]).toEqual(['text'])
    expect(scores.get('text')!.map(best)).toEqual(annotated.truth)
    // One document is annotated wrongly: a fit that had seen it would say so, the others say what its text is.
    const wrong = { ...annotated, truth: annotated.truth.map((topic, i) => (i === 7 ? 1 - topic : topic)) }
    const strict = { ...options, fit: { ...fit, l2: 1e-9, distilledScale: 0 } }
    const guesses = crossValidate(prepared, corpus, wrong, others, 10, strict).get('text')!.map(best)
    expect(guesses[7]).toBe(annotated.truth[7])
  })

  test('are fitted on both views of a document if labels in metadata are trusted', () => {
    expect(viewsOf(options)).toEqual(['text'])
    const trusting = { ...options, fit: { ...fit, metadataTrust: 0.9 } }
    expect(viewsOf(trusting)).toEqual(['text', 'metadata'])
    const trusted = prepare(corpus, ['theme'], new Set(annotated.rows), 2 ** bits, trusting.fit)
    expect(trusted.groups).toEqual([{ name: 'theme', classes: ['theme 0', 'theme 1'], trust: 0.9 }])
    const scores = crossValidate(trusted, corpus, annotated, [], 5, trusting)
    expect([...scores].map(([view, of]) => [view, of.map(best)])).toEqual([
      ['text', annotated.truth],
      ['metadata', annotated.truth],
    ])
  })
})
