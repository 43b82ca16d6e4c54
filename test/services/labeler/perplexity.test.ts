import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { createLabeler, labelerConfig, labelerVersion } from '../../../services/labeler/labeler.ts'
import { openModel } from '../../../services/model/model.ts'
import { documentWindows } from '../../../services/model/sequences.ts'
import { graphsFolder } from '../../../services/model/shipped.ts'
import { createTrainer } from '../../../services/model/trainer.ts'

const fixtures = join(import.meta.dirname, 'fixtures')
/** Of transformers: fixtures/causal/make_tiny_causal.py. */
const golden = JSON.parse(readFileSync(join(fixtures, 'causal/golden.json'), 'utf8')) as {
  cases: { text: string; nll: number }[]
  windows: { text: string; size: number; overlap: number; tokens: number; nll: number }
}

const cleanups: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-perplexity-'))
  cleanups.push(() => rmSync(folder, { recursive: true }))
  return folder
}

const actor = { name: 'perplexity', subcategories: ['all'] }
const parse = (config: object) => labelerConfig.parse({ kind: 'perplexity', ...config })
async function labelsOf(texts: readonly string[], config: object, of = actor, folder = fixtures) {
  const made = await createLabeler(of, parse(config), folder)
  cleanups.push(() => made.close())
  expect(await labelerVersion(of, parse(config), folder)).toBe(made.version)
  return await made.label(texts.map((text) => ({ text, meta: {} })))
}
const scored = (score: number, subcategory = 0) => ({ ok: true, subcategory, score: expect.closeTo(score, 5) })

describe('the perplexity of an exported causal model', () => {
  const texts = golden.cases.map(({ text }) => text)

  test.each([
    ['model.onnx', 2048],
    ['model.onnx', 1],
    ['model_with_cache.onnx', 2048],
  ])('is the mean negative log-likelihood of transformers (%s, batches of %i tokens)', async (file, batchTokens) => {
    expect(await labelsOf(texts, { model: 'causal', file, batchTokens })).toEqual(
      golden.cases.map(({ nll }) => scored(nll)),
    )
  })

  test('counts every token of a long document once, windows weighted by their tokens', async () => {
    const { text, size, overlap, nll } = golden.windows
    const windows = { size, overlap }
    expect(await labelsOf([text], { model: 'causal', windows })).toEqual([scored(nll)])
    // One window less, and so other tokens.
    const [first] = await labelsOf([text], { model: 'causal', windows: { ...windows, limit: 1 } })
    expect(first).not.toEqual(scored(nll))
  })

  test('decides the subcategory by ranges', async () => {
    const cut = (golden.cases[0]!.nll + golden.cases[1]!.nll) / 2
    const sides = { name: 'perplexity', subcategories: ['low', 'high'] }
    const ranges = { low: { to: cut }, high: { from: cut } }
    const labels = await labelsOf(texts.slice(0, 2), { model: 'causal', ranges }, sides)
    expect(labels).toEqual(golden.cases.slice(0, 2).map(({ nll }) => scored(nll, nll < cut ? 0 : 1)))
  })

  test('gives no label where no token has one before it, and labels the texts beside it', async () => {
    const missing = { ok: false, reason: 'missing-score', message: expect.any(String) }
    expect(await labelsOf(['', 'a', texts[0]!], { model: 'causal' })).toEqual([
      missing,
      missing,
      scored(golden.cases[0]!.nll),
    ])
  })

  test('books a forward pass over the tokens that it reads', async () => {
    const { text, size, overlap, tokens } = golden.windows
    const config = parse({ model: 'causal', windows: { size, overlap } })
    const made = await createLabeler(actor, config, fixtures)
    cleanups.push(() => made.close())
    expect(made.cost).toMatchObject({ model: 'causal', factor: 2 })
    expect(made.cost!.parameters).toBeGreaterThan(0)
    const { read } = (await made.labelRead?.([{ text, meta: {} }])) ?? {}
    // Each of the later windows repeats `overlap` tokens and the one before them.
    const windows = Math.ceil((tokens - size) / (size - 1 - overlap)) + 1
    expect(read).toEqual([tokens + (windows - 1) * (overlap + 1)])
  })

  test('is refused where the folder is damaged, or has an encoder', async () => {
    const refused = (model: string, message: string) =>
      expect(labelsOf([], { model })).rejects.toMatchObject({
        code: 'MODEL_UNUSABLE',
        exitCode: 3,
        message: expect.stringContaining(message),
      })
    await refused('nowhere', 'config.json')
    await refused('topic', 'wants the inputs token_type_ids')
    const folder = newFolder()
    cpSync(join(fixtures, 'causal'), folder, { recursive: true })
    writeFileSync(join(folder, 'model.onnx'), 'no graph')
    await refused(folder, 'model.onnx')
  })

  test.each([
    [{ model: 'causal', windows: { size: 65 } }, '64 positions'],
    [{ model: 'causal', windows: { size: 16, overlap: 8 } }, 'below half'],
    [{ model: 'causal', checkpoint: 'x.safetensors' }, 'checkpoint is given'],
    [{ model: 'causal', ranges: { low: { to: 3 } } }, '"low"'],
  ])('%j is a configuration error', async (config, message) => {
    await expect(labelsOf([], config)).rejects.toMatchObject({
      code: 'CONFIGURATION',
      exitCode: 3,
      message: expect.stringContaining(message),
    })
  })
})

describe('the perplexity under a model of runs', () => {
  test('is the loss that the trainer has on the document, at a checkpoint', async () => {
    const folder = newFolder()
    const model = await openModel({ graphs: 'shipped:llama-64x2' })
    cleanups.push(() => model.close())
    const context = 15
    const trainer = await createTrainer(model, {
      ...{ start: { seed: '7' }, batch: 2, context, learningRate: 0.01, warmupSteps: 1, totalSteps: 3 },
    })
    const text = 'It was the best of times, it was the worst of times. '.repeat(4)
    const tokens = await model.tokenizer.encode(text)
    for (let step = 0; step < 3; step++) await trainer.step(Int32Array.from(tokens.slice(0, 2 * (context + 1))))
    const checkpoint = join(folder, 'checkpoint.safetensors')
    await trainer.save(checkpoint)
    const windows = documentWindows(tokens, context, 100, 4, model.tokenizer.endOfText)
    expect(windows.length).toBeGreaterThan(3)
    const { loss } = await trainer.evaluate(windows)
    const config = { checkpoint, windows: { size: context + 1, overlap: 4, limit: 100 } }
    expect(await labelsOf([text], config)).toEqual([scored(loss)])
    // The shipped weights are other weights.
    expect(await labelsOf([text], { ...config, checkpoint: undefined })).not.toEqual([scored(loss)])
  })

  test('has the shipped model as default, which finds prose likelier than noise', async () => {
    const prose = 'The committee will meet again next week to discuss the report, and the results will be published.'
    const noise = Array.from({ length: 30 }, (_, i) => `qz${(i * 7919) % 997}%${String.fromCharCode(33 + i)}`).join('')
    const [likely, unlikely] = await labelsOf([prose, noise], {})
    const scoreOf = (label: typeof likely) => (label?.ok ? label.score : Number.NaN)
    // Better than a guess among 4,096 tokens.
    expect(scoreOf(likely)).toBeLessThan(Math.log(4096) - 2)
    expect(scoreOf(unlikely)).toBeGreaterThan(scoreOf(likely) + 1)
  })

  test('needs weights', async () => {
    const folder = newFolder()
    const graphs = graphsFolder('shipped:llama-64x2')
    for (const name of ['model.json', 'tokenizer.json', 'loss.onnx', 'influence.onnx', 'train.onnx'])
      cpSync(join(graphs, name), join(folder, name))
    await expect(labelsOf([], { model: folder })).rejects.toMatchObject({
      code: 'MODEL_UNUSABLE',
      exitCode: 3,
      message: expect.stringContaining('no weights'),
    })
  })
})
