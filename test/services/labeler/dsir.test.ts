import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { fitDsir } from '../../../services/labeler/dsir/fit.ts'
import { bucketOf, wordPunct } from '../../../services/labeler/dsir/ngrams.ts'
import { createLabeler, labelerConfig, labelerVersion } from '../../../services/labeler/labeler.ts'

/** Of PyPI's data-selection: fixtures/dsir/make_golden.py. */
const golden = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/dsir/golden.json'), 'utf8')) as {
  corpus: string[]
  target: string[]
  buckets: Record<string, number>
  tokens: string[][]
  weights: number[]
}

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-dsir-'))
  folders.push(folder)
  return folder
}

/** A file of rows. Texts without a word, which ingest does not take, have no n-grams either. */
function rows(
  folder: string,
  name: string,
  texts: readonly string[],
  meta: (i: number) => object = () => ({}),
): string {
  const file = join(folder, name)
  writeFileSync(file, texts.map((text, i) => JSON.stringify({ text, meta: meta(i) })).join('\n'))
  return file
}

const actor = { name: 'dsir-sea', subcategories: ['all'] }
async function weightsOf(folder: string, texts: readonly string[], config: object = {}, of = actor) {
  const made = await createLabeler(of, labelerConfig.parse({ kind: 'dsir', model: folder, ...config }), '/')
  const labels = await made.label(texts.map((text) => ({ text, meta: {} })))
  await made.close()
  return labels
}

describe('DSIR', () => {
  test('hashes n-grams and cuts texts as data-selection does', () => {
    expect(bucketOf('alice')).toBe(6720)
    expect(bucketOf('alice went')).toBe(114)
    for (const [gram, bucket] of Object.entries(golden.buckets)) expect(bucketOf(gram), gram).toBe(bucket)
    expect(golden.corpus.slice(0, golden.tokens.length).map(wordPunct)).toEqual(golden.tokens)
    // As UTF-8 would have it: Python refuses such a text.
    expect(wordPunct('a \ud800 b')).toEqual(['a', '\ufffd', 'b'])
  })

  test('weighs documents as data-selection does, with a target of its own files', async () => {
    const folder = newFolder()
    const out = join(folder, 'model')
    const [corpus, target] = [rows(folder, 'raw.jsonl', golden.corpus), rows(folder, 'target.jsonl', golden.target)]
    await fitDsir({ corpus: [corpus], target: { files: [target] }, out })
    const labels = await weightsOf(out, golden.corpus)
    for (const [i, label] of labels.entries()) {
      expect(label).toMatchObject({ ok: true, subcategory: 0 })
      const score = label.ok ? label.score : Number.NaN
      const expected = golden.weights[i]!
      expect(Math.abs(score - expected)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(expected)))
    }
    // Two threads, more texts than a request, the same weights.
    const many = Array.from({ length: 5 }, () => golden.corpus).flat()
    expect(await weightsOf(out, many, { threads: 2 })).toEqual(Array.from({ length: 5 }, () => labels).flat())
  })

  test('takes its target from a subcategory, and equals the fit to a file of those documents', async () => {
    const folder = newFolder()
    const all = [...golden.corpus, ...golden.target]
    const isTarget = (i: number) => i >= golden.corpus.length
    const corpus = rows(folder, 'all.jsonl', all, (i) => ({ source: isTarget(i) ? 'Book' : 'C4' }))
    const target = rows(folder, 'books.jsonl', golden.target)
    const choice = {
      actor: { name: 'domain', subcategories: ['Book', 'C4'] },
      labeler: { kind: 'metadata', path: 'source' } as const,
      baseFolder: folder,
    }
    const [bySubcategory, byFile] = ['a', 'b'].map((name) => join(folder, name))
    const fitted = await fitDsir({ corpus: [corpus], target: { choice, subcategory: 'Book' }, out: bySubcategory! })
    const filed = await fitDsir({ corpus: [corpus], target: { files: [target] }, out: byFile! })
    expect(fitted.targetCounts).toEqual(filed.targetCounts)
    expect(fitted).toMatchObject({
      target: 'domain=Book',
      training: { targetDocuments: golden.target.length, rejected: 2 },
    })
    await expect(
      fitDsir({ corpus: [corpus], target: { choice, subcategory: 'Books' }, out: folder }),
    ).rejects.toMatchObject({ code: 'CONFIGURATION', exitCode: 3, message: expect.stringContaining('Books') })
    await expect(
      fitDsir({ corpus: [corpus], target: { files: [rows(folder, 'x.jsonl', [' '])] }, out: folder }),
    ).rejects.toMatchObject({ code: 'BAD_DATA' })
  })

  test('has a version by model, ranges and subcategories, and subcategories by ranges', async () => {
    const folder = newFolder()
    const [corpus, target] = [rows(folder, 'raw.jsonl', golden.corpus), rows(folder, 'target.jsonl', golden.target)]
    await fitDsir({ corpus: [corpus], target: { files: [target] }, out: join(folder, 'model') })
    const version = (config: object, of = actor) =>
      labelerVersion(of, labelerConfig.parse({ kind: 'dsir', model: 'model', ...config }), folder)
    expect(await version({})).toBe(await version({ threads: 3 }))
    const sides = { name: 'x', subcategories: ['like', 'unlike'] }
    const ranges = { like: { from: 0 }, unlike: { to: 0 } }
    expect(await version({ ranges }, sides)).not.toBe(await version({}))
    expect(await weightsOf(join(folder, 'model'), ['whale ship captain', 'price market'], { ranges }, sides)).toEqual([
      { ok: true, subcategory: 0, score: expect.any(Number) },
      { ok: true, subcategory: 1, score: expect.any(Number) },
    ])
    await expect(version({}, sides)).rejects.toMatchObject({ message: expect.stringContaining('ranges is missing') })
  })

  test.each([
    ['none', undefined, 'cannot be read'],
    ['no JSON', '{', 'is not JSON'],
    ['another format', '{"format": "x"}', 'format'],
  ])('is refused with %s in its folder', async (_, text, message) => {
    const folder = newFolder()
    mkdirSync(folder, { recursive: true })
    if (text !== undefined) writeFileSync(join(folder, 'dsir.json'), text)
    await expect(weightsOf(folder, [])).rejects.toMatchObject({
      code: 'MODEL_UNUSABLE',
      exitCode: 3,
      message: expect.stringContaining(message),
    })
  })
})
