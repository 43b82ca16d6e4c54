import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createLabeler, labelerVersion } from '../../../services/labeler/labeler.ts'
import { type FittedRegression, fitRegression, type ScoredTexts } from '../../../services/labeler/regression.ts'
import { defaultFeatures, defaultFit } from '../../../services/labeler/train.ts'
import { spearman } from '../../../topologies/fits/spearman.ts'

const vocabulary = 'ship sea gull tide oven flour salt bread court law judge plea stack heap loop code'.split(' ')
/** Of each word, how it moves the score: planted. */
const effects = vocabulary.map((_, i) => ((7 * i) % 5) - 2)

/** Random numbers in [0, 1). */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647
  }
}

/** Texts of twelve words, scored by the sum of their words' effects plus noise. */
function planted(count: number, noise: number, seed = 11): ScoredTexts & { readonly truth: number[] } {
  const next = numbers(seed)
  const texts: string[] = []
  const truth: number[] = []
  const scores: number[] = []
  for (let i = 0; i < count; i++) {
    // Few different words a text, so that texts differ.
    const own = Array.from({ length: 3 }, () => Math.floor(next() * vocabulary.length))
    const words = Array.from({ length: 12 }, () => own[Math.floor(next() * own.length)]!)
    texts.push(words.map((word) => vocabulary[word]).join(' '))
    const value = words.reduce((sum, word) => sum + effects[word]!, 0) / 12
    truth.push(value)
    scores.push(value + noise * (next() + next() + next() + next() - 2))
  }
  return { texts, scores, truth, weights: texts.map((_, i) => 1 + (i % 3)) }
}

const settings = {
  ...{ seed: '18446744073709551615', folds: 5 },
  features: { ...defaultFeatures, bits: 10 },
  fit: { ...defaultFit, documentsMin: 3, l2: 1e-3 },
}
const about = { task: 'influence', training: {}, metrics: {} }

function written({ files }: FittedRegression): string {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-regression-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const { model, weights } = files(about)
  writeFileSync(join(folder, 'model.json'), model)
  writeFileSync(join(folder, 'weights.bin'), weights)
  return folder
}

test('a planted score of texts is recovered, by folds that have not seen them and by the model that is written', async () => {
  const fitted = await fitRegression(planted(250, 0.5), settings)
  expect(spearman(fitted.heldOut, planted(250, 0).truth)).toBeGreaterThan(0.9)
  const actor = { name: 'influence', subcategories: ['all'] }
  const folder = written(fitted)
  const config = {
    kind: 'hashed',
    model: folder,
    ranges: { all: { from: -1000 } },
    golden: 'refuse',
    threads: 1,
  } as const
  const labeler = await createLabeler(actor, config, '/')
  const others = planted(200, 0, 23)
  const labels = await labeler.label(others.texts.map((text) => ({ text, meta: {} })))
  await labeler.close()
  const scores = labels.map((label) => (label.ok ? label.score : Number.NaN))
  expect(spearman(scores, others.truth)).toBeGreaterThan(0.9)
  // On the scale of the scores, and of their sign.
  expect(Math.max(...scores)).toBeGreaterThan(0.5)
  expect(Math.min(...scores)).toBeLessThan(-0.5)
})

test('the same texts, scores, weights and settings give the same bytes and the same version; others do not', async () => {
  const given = planted(50, 0.5)
  const bytes = async (texts: ScoredTexts, seed = settings.seed) => {
    const fitted = await fitRegression(texts, { ...settings, seed })
    const { model, weights } = fitted.files(about)
    const actor = { name: 'influence', subcategories: ['all'] }
    const config = {
      kind: 'hashed',
      model: written(fitted),
      ranges: { all: { from: -1000 } },
      golden: 'refuse',
      threads: 1,
    } as const
    return [
      model,
      Buffer.from(weights).toString('hex'),
      await labelerVersion(actor, config, '/'),
      fitted.heldOut,
    ] as const
  }
  const first = await bytes(given)
  expect(await bytes(planted(50, 0.5))).toEqual(first)
  expect((await bytes({ ...given, weights: given.weights.map((weight) => 2 * weight) }))[1]).toBe(first[1])
  const heavier = given.weights.map((weight, i) => (i === 0 ? 50 : weight))
  expect((await bytes({ ...given, weights: heavier }))[2]).not.toBe(first[2])
  expect((await bytes(given, '1'))[3]).not.toEqual(first[3])
})

test('a text that counts more is fitted better', async () => {
  const given = planted(60, 2)
  const error = async (weights: number[]) => {
    const fitted = await fitRegression({ ...given, weights }, settings)
    const actor = { name: 'influence', subcategories: ['all'] }
    const config = {
      kind: 'hashed',
      model: written(fitted),
      ranges: { all: { from: -1000 } },
      golden: 'refuse',
      threads: 1,
    } as const
    const labeler = await createLabeler(actor, config, '/')
    const labels = await labeler.label(given.texts.slice(0, 5).map((text) => ({ text, meta: {} })))
    await labeler.close()
    return labels.reduce((sum, label, i) => sum + ((label.ok ? label.score : 0) - given.scores[i]!) ** 2, 0)
  }
  const even = await error(given.texts.map(() => 1))
  expect(await error(given.texts.map((_, i) => (i < 5 ? 200 : 1)))).toBeLessThan(even / 2)
})

test('texts that share no n-gram are fitted by their lengths and the like', async () => {
  const texts = Array.from({ length: 40 }, (_, i) => `${i}`.repeat(1 + (i % 7)))
  const fitted = await fitRegression(
    { texts, scores: texts.map(({ length }) => length), weights: texts.map(() => 1) },
    settings,
  )
  expect(fitted.heldOut).toHaveLength(40)
  expect(fitted.heldOut.every(Number.isFinite)).toBe(true)
})
