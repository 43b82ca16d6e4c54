import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../../services/config/load.ts'
import { createLabeler, labelerConfig, labelerVersion } from '../../../services/labeler/labeler.ts'

const fixtures = join(import.meta.dirname, 'fixtures')
const actor = { name: 'edu', subcategories: ['0', '1', '2', '3', '4', '5'] }
const edu = (by?: object, given = actor) =>
  createLabeler(given, labelerConfig.parse({ kind: 'edu', ...(by && { by }) }), fixtures)

describe('the labeler edu', () => {
  const ofField = async (value: unknown) => {
    const made = await edu({ kind: 'metadata' })
    return (await made.label([{ text: '', meta: { score: value } }]))[0]
  }

  // Python: [round(min(max(x, 0), 5)) for x in ..]
  test.each([
    [2.4999, 2, 2.4999],
    [2.5, 2, 2.5],
    [2.5000001, 3, 2.5000001],
    [3.49, 3, 3.49],
    [3.5, 4, 3.5],
    [0.5, 0, 0.5],
    [1.5, 2, 1.5],
    [4.5, 4, 4.5],
    [0.49999999999999994, 0, 0.49999999999999994],
    [7, 5, 5],
    [-1, 0, 0],
    ['3.2', 3, 3.2],
  ])('puts %j into class %i, as int_score of FineWeb-Edu', async (value, subcategory, score) => {
    expect(await ofField(value)).toEqual({ ok: true, subcategory, score })
  })

  test.each([[undefined], [null], ['NaN'], ['high'], [true], ['']])('has no label for %j', async (value) => {
    expect(await ofField(value)).toMatchObject({ ok: false, reason: 'missing-score' })
  })

  test('rounds the scores of the shipped model, and of an encoder', async () => {
    const input = [{ text: 'The mitochondrion is the powerhouse of the cell. '.repeat(20), meta: {} }]
    for (const by of [undefined, { kind: 'onnx', model: 'quality', windows: { size: 32 } }]) {
      const made = await edu(by)
      const quality = await createLabeler(
        { name: 'quality', subcategories: ['all'] },
        labelerConfig.parse(by ?? { kind: 'hashed', model: 'shipped:quality' }),
        fixtures,
      )
      const [[rounded], [whole]] = [await made.label(input), await quality.label(input)]
      const score = whole!.ok ? whole!.score : Number.NaN
      expect(rounded).toEqual({ ok: true, subcategory: Math.round(score), score })
      expect(made.model).toBeDefined()
      expect(made.version).not.toBe(quality.version)
      expect(made.version).toBe(
        await labelerVersion(actor, labelerConfig.parse({ kind: 'edu', ...(by && { by }) }), fixtures),
      )
      await made.close()
      await quality.close()
    }
  })

  test('gives its actor six subcategories, where the configuration names none', () => {
    const folder = mkdtempSync(join(tmpdir(), 'winnow-edu-'))
    writeFileSync(join(folder, 'winnow.yaml'), 'actors: { edu: { labeler: { kind: edu } } }\n')
    const { actors } = loadConfig({ folder, env: {} })
    rmSync(folder, { recursive: true })
    expect(actors).toMatchObject([actor])
  })

  test('refuses an actor with other than six', async () => {
    await expect(edu(undefined, { name: 'edu', subcategories: ['low', 'high'] })).rejects.toMatchObject({
      code: 'CONFIGURATION',
      exitCode: 3,
      message: expect.stringContaining('6 classes'),
    })
  })

  test.each([
    ['a classification', { kind: 'onnx', model: 'topic' }, 'MODEL_UNUSABLE'],
    ['a model of topics', { kind: 'hashed', model: 'shipped:topic' }, 'MODEL_UNUSABLE'],
  ])('is refused for %s', async (_, by, code) => {
    await expect(edu(by)).rejects.toMatchObject({ code, hint: expect.stringContaining('kind edu needs a regression') })
  })

  test.each([[{ kind: 'rules' }], [{ kind: 'onnx', model: 'quality', ranges: {} }], [{ kind: 'hashed' }]])(
    'by %j is no configuration',
    (by) => {
      expect(labelerConfig.safeParse({ kind: 'edu', by }).success).toBe(false)
    },
  )
})
