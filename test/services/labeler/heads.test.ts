import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { createLabeler, labelerConfig, labelerVersion } from '../../../services/labeler/labeler.ts'
import { Encoders } from '../../../services/labeler/onnx/encoder.ts'

const fixtures = join(import.meta.dirname, 'fixtures')
const golden = JSON.parse(readFileSync(join(fixtures, 'golden.json'), 'utf8')) as { text: string; topic: number[] }[]
const heads = ['Finance', 'Health', 'Nature']
const texts = golden.map(({ text }) => ({ text, meta: {} }))

const cleanups: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A copy of the topic encoder whose config.json says what its outputs are. */
function model(problemType: string | undefined = 'regression'): string {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-heads-'))
  cleanups.push(() => rmSync(folder, { recursive: true }))
  cpSync(join(fixtures, 'topic'), folder, { recursive: true })
  const file = join(folder, 'config.json')
  const config = JSON.parse(readFileSync(file, 'utf8')) as object
  writeFileSync(file, JSON.stringify({ ...config, problem_type: problemType }))
  return folder
}

const sides = ['low', 'high']
const ranges = { low: { to: 0 }, high: { from: 0 } }
async function labeler(folder: string, config: object, subcategories = ['all'], encoders?: Encoders) {
  const parsed = labelerConfig.parse({ kind: 'onnx', model: folder, windows: { size: 32 }, ...config })
  const made = await createLabeler({ name: 'rating', subcategories }, parsed, '/', encoders)
  cleanups.push(() => made.close())
  return made
}

describe('several regression heads', () => {
  test.each([['regression'], [undefined]])(
    'are several actors of one forward pass (problem_type %s), each with its raw score and the subcategory of its range',
    async (problemType) => {
      const folder = model(problemType)
      const encoders = new Encoders()
      const made = await Promise.all(heads.map((head) => labeler(folder, { head, ranges }, sides, encoders)))
      // Each asks in batches of its own, as stations do.
      const labels = await Promise.all([
        made[0]!.label(texts),
        made[1]!.label(texts.toReversed()).then((all) => all.toReversed()),
        made[2]!.label(texts.slice(0, 4)).then(async (some) => [...some, ...(await made[2]!.label(texts.slice(4)))]),
      ])
      for (const [h, own] of labels.entries()) {
        expect(own).toEqual(
          golden.map(({ topic }) => ({
            ok: true,
            subcategory: topic[h]! < 0 ? 0 : 1,
            score: expect.closeTo(topic[h]!, 4),
          })),
        )
      }
      const probe = await labeler(folder, { head: heads[0], ranges }, sides, encoders)
      expect(new Set(made.map(({ version }) => version)).size).toBe(3)
      expect(probe.version).toBe(made[0]!.version)
    },
  )

  test('run each document once, also where a text is asked for twice, and again for an encoder that reads otherwise', async () => {
    const folder = model()
    const encoders = new Encoders()
    const encoderOf = async (config: object) => {
      const parsed = labelerConfig.parse({ kind: 'onnx', model: folder, windows: { size: 32 }, ...config })
      if (parsed.kind !== 'onnx') throw new Error()
      const { describeFolder } = await import('../../../services/labeler/onnx/folder.ts')
      return await encoders.open(await describeFolder(folder, parsed.file), { size: 32, limit: 1 }, parsed)
    }
    const [first, second, other] = await Promise.all([
      encoderOf({ head: 'Health' }),
      encoderOf({ head: 'Nature', ranges }),
      encoderOf({ head: 'Nature', batchTokens: 64 }),
    ])
    cleanups.push(first!.close, second!.close, other!.close)
    const given = texts.map(({ text }) => text)
    const outputs = await Promise.all([first!.outputsOf(given), second!.outputsOf([...given, ...given])])
    expect(outputs[1]).toEqual([...outputs[0]!, ...outputs[0]!])
    expect(first!.documents).toBe(given.length)
    expect(second!.documents).toBe(given.length)
    expect(other!.documents).toBe(0)
    // The model stays for the one that is left.
    await first!.close()
    await first!.close()
    expect(await second!.outputsOf(given.slice(0, 1))).toEqual([
      golden[0]!.topic.map((logit) => expect.closeTo(logit, 4)),
    ])
  })

  test('read windows weighted by their tokens, as QuRating does', async () => {
    const { text } = texts.at(-1)!
    const score = async (combine: string) => {
      const made = await labeler(model(), { head: 'Health', windows: { size: 32, combine } })
      const [label] = await made.label([{ text, meta: {} }])
      return label!.ok ? label!.score : Number.NaN
    }
    const [mean, weighted] = [await score('mean'), await score('weighted')]
    // The last window is shorter than the others.
    expect(weighted).not.toBeCloseTo(mean, 3)
  })

  test.each([
    ['a head that the model lacks', 'regression', { head: 'Sports' }, ['all'], 'no head Sports'],
    ['no head', 'regression', {}, ['all'], 'several regression heads'],
    ['a head of a classification', 'single_label_classification', { head: 'Health' }, ['all'], 'is a classification'],
    ['several subcategories and no ranges', 'regression', { head: 'Health' }, sides, 'ranges is missing'],
    [
      'ranges of other subcategories',
      'regression',
      { head: 'Health', ranges: { best: { from: 1 } } },
      ['all'],
      '"best"',
    ],
    [
      'ranges of a classification',
      'single_label_classification',
      { ranges: { all: { from: 1 } } },
      ['all'],
      'is a classification',
    ],
  ])('%s is refused at the start', async (_, problemType, config, subcategories, message) => {
    const parsed = labelerConfig.parse({ kind: 'onnx', model: model(problemType), ...config })
    const actor = { name: 'rating', subcategories }
    const refusal = { code: 'CONFIGURATION', exitCode: 3, message: expect.stringContaining(message) }
    await expect(createLabeler(actor, parsed, '/')).rejects.toMatchObject(refusal)
    await expect(labelerVersion(actor, parsed, '/')).rejects.toMatchObject(refusal)
  })

  test('a score in no range is no label, and says so', async () => {
    const [label] = await (await labeler(model(), { head: 'Health', ranges: { all: { from: 1e6 } } })).label(texts)
    expect(label).toEqual({
      ok: false,
      reason: 'outside-ranges',
      message: expect.stringContaining('all [1000000, ∞)'),
    })
  })
})
