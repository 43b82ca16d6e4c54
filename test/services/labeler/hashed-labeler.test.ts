import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { trainCommand } from '../../../services/labeler/commands/train.ts'
import { type ModelFile, sha256 } from '../../../services/labeler/hashed/model.ts'
import { createLabeler, type Labeler, labelerConfig } from '../../../services/labeler/labeler.ts'
import { makeToy, type Toy, toyText } from './toy.ts'

const topic = { name: 'topic', subcategories: ['Other', 'Code', 'Sea'] }
const quality = { name: 'quality', subcategories: ['0-1', '1-2', '2-3', '3-4', '4-5'] }

let toy: Toy
beforeAll(async () => {
  toy = makeToy()
  await trainCommand(toy.options('topic'))
  await trainCommand(toy.options('quality', 'quality'))
})
afterAll(() => toy.remove())

const open: Labeler[] = []
afterEach(async () => {
  for (const labeler of open.splice(0)) await labeler.close()
})

async function labeler(actor: typeof topic, model = actor.name, threads = 1): Promise<Labeler> {
  const made = await createLabeler(actor, labelerConfig.parse({ kind: 'hashed', model, threads }), toy.folder)
  open.push(made)
  return made
}

const inputs = (texts: string[]) => texts.map((text) => ({ text, meta: null }))

/** A copy of a model in which `change` may write. */
function changed(from: string, to: string, change: (file: ModelFile, weights: Buffer) => void): string {
  cpSync(join(toy.folder, from), join(toy.folder, to), { recursive: true })
  const file = JSON.parse(readFileSync(join(toy.folder, to, 'model.json'), 'utf8')) as ModelFile
  const weights = readFileSync(join(toy.folder, to, 'weights.bin'))
  change(file, weights)
  writeFileSync(
    join(toy.folder, to, 'model.json'),
    JSON.stringify({ ...file, weights: { ...file.weights, sha256: sha256(weights) } }),
  )
  writeFileSync(join(toy.folder, to, 'weights.bin'), weights)
  return to
}

describe('the hashed labeler', () => {
  it('gives the learned class, by its name in the actor’s list, in the order of the inputs', async () => {
    const made = await labeler(topic, 'topic', 2)
    const topics = Array.from({ length: 1000 }, (_, i) => (i % 3 === 0 ? 1 : 0))
    const results = await made.label(inputs(topics.map((own, i) => toyText(own, 1000 + i))))
    expect(results.map((result) => result.ok && result.subcategory)).toEqual(topics.map((own) => (own === 1 ? 1 : 2)))
    expect(results.every((result) => result.ok && result.score > 0.5 && result.score <= 1)).toBe(true)
  })

  it('gives a regression’s score and interval', async () => {
    const [sea, code] = await (await labeler(quality)).label(inputs([toyText(0, 500), toyText(1, 500)]))
    expect(sea).toMatchObject({ ok: true, subcategory: expect.any(Number) })
    expect(sea!.ok && code!.ok && sea!.score > 3 && code!.score < 2).toBe(true)
  })

  it('gives the same labels with one thread and with three', async () => {
    const texts = inputs(Array.from({ length: 700 }, (_, i) => toyText(i % 2, i)))
    expect(await (await labeler(topic, 'topic', 3)).label(texts)).toEqual(await (await labeler(topic)).label(texts))
  })

  it.each([
    ['an empty text', ''],
    ['10 MB of text', 'wave '.repeat(2_000_000)],
    ['lone surrogates', '\ud800 and \udfff\ud83d'],
    ['binary junk', String.fromCharCode(...Array.from({ length: 5000 }, (_, i) => (i * 7919) % 65_536))],
    ['100,000 characters without a space', 'x'.repeat(100_000)],
  ])('labels %s', async (_, text) => {
    const [ofTopic] = await (await labeler(topic)).label(inputs([text]))
    const [ofQuality] = await (await labeler(quality)).label(inputs([text]))
    expect(ofTopic).toMatchObject({ ok: true })
    expect(ofQuality).toMatchObject({ ok: true, score: expect.any(Number) })
  })

  it('gives a reason instead of a label if the model outputs NaN', async () => {
    // The last float32 before the int8 rows is the last output's bias.
    const nanBias = (file: ModelFile, weights: Buffer) => {
      const columns =
        file.auxiliary.reduce((sum, { classes }) => sum + classes.length, 0) + Math.max(1, file.classes.length)
      weights.writeFloatLE(Number.NaN, weights.length - file.rows * columns - 4)
    }
    const texts = inputs(['wave', ''])
    for (const actor of [topic, quality]) {
      const made = await labeler(actor, changed(actor.name, `nan-${actor.name}`, nanBias))
      for (const result of await made.label(texts))
        expect(result).toMatchObject({ ok: false, reason: 'non-finite-score', message: expect.stringContaining('NaN') })
    }
  })

  it('labels an empty batch, and refuses work once closed', async () => {
    const made = await labeler(topic)
    expect(await made.label([])).toEqual([])
    await made.close()
    await expect(made.label(inputs(['wave']))).rejects.toMatchObject({ code: 'INTERRUPTED' })
  })

  it('finishes work in progress when it is closed', async () => {
    const made = await labeler(topic, 'topic', 2)
    const pending = made.label(inputs(Array.from({ length: 2000 }, (_, i) => toyText(i % 2, i))))
    await made.close()
    expect(await pending).toHaveLength(2000)
  })

  it('has a version that follows the model and the subcategories', async () => {
    const version = async (...args: Parameters<typeof labeler>) => (await labeler(...args)).version
    expect(await version(topic)).toBe(await version(topic, 'topic', 2))
    expect(await version(topic)).not.toBe(await version({ ...topic, subcategories: ['Code', 'Sea'] }))
    const other = changed('topic', 'other', (_, weights) => weights.writeInt8(1, weights.length - 1))
    expect(await version(topic)).not.toBe(await version(topic, other))
  })
})

describe('a hashed model that cannot be used', () => {
  it('is refused, naming what is missing, if its folder or a file is missing', async () => {
    await expect(labeler(topic, 'nowhere')).rejects.toMatchObject({
      code: 'MODEL_UNUSABLE',
      exitCode: 3,
      message: expect.stringContaining(join('nowhere', 'model.json')),
    })
    cpSync(join(toy.folder, 'topic'), join(toy.folder, 'half'), { recursive: true })
    rmSync(join(toy.folder, 'half', 'weights.bin'))
    await expect(labeler(topic, 'half')).rejects.toMatchObject({
      code: 'MODEL_UNUSABLE',
      message: expect.stringContaining(join('half', 'weights.bin')),
    })
  })

  it('is refused if its weights are truncated or belong to another model', async () => {
    const weights = readFileSync(join(toy.folder, 'topic', 'weights.bin'))
    cpSync(join(toy.folder, 'topic'), join(toy.folder, 'cut'), { recursive: true })
    writeFileSync(join(toy.folder, 'cut', 'weights.bin'), weights.subarray(0, -1))
    await expect(labeler(topic, 'cut')).rejects.toMatchObject({
      code: 'MODEL_UNUSABLE',
      message: expect.stringContaining('bytes'),
    })
    weights[weights.length - 1]! ^= 1
    writeFileSync(join(toy.folder, 'cut', 'weights.bin'), weights)
    await expect(labeler(topic, 'cut')).rejects.toMatchObject({
      code: 'MODEL_UNUSABLE',
      message: expect.stringContaining('SHA-256'),
    })
  })

  it('is refused if model.json is not JSON or has unknown keys', async () => {
    cpSync(join(toy.folder, 'topic'), join(toy.folder, 'odd'), { recursive: true })
    writeFileSync(join(toy.folder, 'odd', 'model.json'), '{')
    await expect(labeler(topic, 'odd')).rejects.toMatchObject({
      code: 'MODEL_UNUSABLE',
      message: expect.stringContaining('not JSON'),
    })
    writeFileSync(join(toy.folder, 'odd', 'model.json'), '{"format": "winnow-hashed/2"}')
    await expect(labeler(topic, 'odd')).rejects.toMatchObject({
      code: 'MODEL_UNUSABLE',
      message: expect.stringContaining('winnow-hashed/1'),
    })
  })

  it('is refused if it has a class that the actor lacks', async () => {
    await expect(labeler({ name: 'topic', subcategories: ['Sea', 'Sky'] })).rejects.toMatchObject({
      code: 'MODEL_UNUSABLE',
      message: expect.stringContaining('"Code"'),
    })
  })
})
