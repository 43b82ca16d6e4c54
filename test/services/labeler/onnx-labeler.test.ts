import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import {
  createLabeler,
  type Labeler,
  type LabelerConfigInput,
  labelerConfig,
} from '../../../services/labeler/labeler.ts'
import { batchByArrival, bucketByLength, combineWindows } from '../../../services/labeler/onnx/batches.ts'

const fixtures = join(import.meta.dirname, 'fixtures')
const golden = JSON.parse(readFileSync(join(fixtures, 'golden.json'), 'utf8')) as {
  text: string
  topic: number[]
  quality: number
  topicInt8: number[]
}[]
const classes = ['Finance', 'Health', 'Nature']
const topic = { name: 'topic', subcategories: ['Nature', 'Other', 'Finance', 'Health'] }
const quality = { name: 'quality', subcategories: ['0-1', '1-2', '2-3', '3-4', '4-5'] }
const long = golden.at(-1)!.text

const cleanups: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

async function labeler(actor: typeof topic, config: Partial<LabelerConfigInput>, folder = fixtures): Promise<Labeler> {
  const made = await createLabeler(
    actor,
    labelerConfig.parse({ kind: 'onnx', model: actor.name, windows: { size: 32 }, ...config }),
    folder,
  )
  cleanups.push(() => made.close())
  return made
}

/** A copy of the fixtures that a test may damage. */
function copyOfFixtures(): string {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-onnx-'))
  cpSync(fixtures, folder, { recursive: true })
  cleanups.push(() => rmSync(folder, { recursive: true }))
  return folder
}

const inputs = (texts: string[]) => texts.map((text) => ({ text, meta: {} }))
const softmax = (logits: number[], k: number) =>
  Math.exp(logits[k]!) / logits.reduce((sum, logit) => sum + Math.exp(logit), 0)

describe('the onnx labeler', () => {
  it('gives the class and probability that Python computes, by class name, in the order of the inputs', async () => {
    const made = await labeler(topic, { batchTokens: 70 })
    const results = await made.label(inputs(golden.map(({ text }) => text)))
    for (const [i, { topic: logits }] of golden.entries()) {
      const best = logits.indexOf(Math.max(...logits))
      expect(results[i]).toEqual({
        ok: true,
        subcategory: topic.subcategories.indexOf(classes[best]!),
        score: expect.closeTo(softmax(logits, best), 4),
      })
    }
  })

  it('gives the class and probability that Python computes with the int8 graph', async () => {
    const made = await labeler(topic, { file: 'model_quantized.onnx' })
    for (const { text, topicInt8: logits } of golden) {
      const best = logits.indexOf(Math.max(...logits))
      expect(await made.label(inputs([text]))).toEqual([
        {
          ok: true,
          subcategory: topic.subcategories.indexOf(classes[best]!),
          score: expect.closeTo(softmax(logits, best), 4),
        },
      ])
    }
  })

  it('gives the regression score that Python computes, and its interval', async () => {
    const made = await labeler(quality, {})
    const results = await made.label(inputs(golden.map(({ text }) => text)))
    for (const [i, { quality: score }] of golden.entries()) {
      const clamped = Math.min(5, Math.max(0, score))
      const interval = Math.min(4, Math.floor(clamped))
      expect(results[i]).toEqual({ ok: true, subcategory: interval, score: expect.closeTo(clamped, 4) })
    }
  })

  it('reads only the first window when truncating, and all windows for mean and max', async () => {
    const score = async (combine: 'first' | 'mean' | 'max', limit = 16) => {
      const made = await labeler(quality, { windows: { size: 32, overlap: 8, combine, limit } })
      const [result] = await made.label(inputs([long]))
      return result!.ok ? result!.score : Number.NaN
    }
    const first = await score('first')
    expect(first).toBeCloseTo(golden.at(-1)!.quality, 4)
    expect(await score('mean', 1)).toBeCloseTo(first, 5)
    expect(await score('mean')).not.toBeCloseTo(first, 3)
    expect(await score('max')).toBeGreaterThanOrEqual(Math.max(first, await score('mean')))
  })

  it.each([
    ['an empty text', ''],
    ['10 MB of text', 'word '.repeat(2_000_000)],
    ['lone surrogates', '\ud800 lone \udc00'],
    ['binary junk', String.fromCharCode(...Array.from({ length: 5000 }, (_, i) => (i * 7919) % 65_536))],
    ['100,000 characters without a space', 'x'.repeat(100_000)],
  ])('labels %s', async (_, text) => {
    const made = await labeler(topic, { windows: { size: 32, overlap: 4, combine: 'mean' } })
    expect(await made.label(inputs([text]))).toEqual([expect.objectContaining({ ok: true })])
  })

  it('gives the same labels with two sessions as with one, in the order of the inputs', async () => {
    const texts = inputs(Array.from({ length: 300 }, (_, i) => golden[i % golden.length]!.text.repeat(1 + (i % 3))))
    const [one, two] = await Promise.all([labeler(topic, {}), labeler(topic, { sessions: 2, bucket: 'arrival' })])
    const subcategories = async (made: Labeler) => (await made.label(texts)).map((one) => one.ok && one.subcategory)
    expect(await subcategories(two)).toEqual(await subcategories(one))
    expect(two.version).toBe(one.version)
  })

  it('uses the named graph, which has a version of its own', async () => {
    const folder = copyOfFixtures()
    renameSync(join(folder, 'topic', 'model.onnx'), join(folder, 'topic', 'model_quantized.onnx'))
    rmSync(join(folder, 'topic', 'model_quantized.golden.json'))
    await expect(labeler(topic, {}, folder)).rejects.toMatchObject({ code: 'MODEL_UNUSABLE' })
    const named = await labeler(topic, { file: 'model_quantized.onnx' }, folder)
    expect((await named.label(inputs(['text'])))[0]).toMatchObject({ ok: true })
  })

  it('has a stable version that changes with the window size', async () => {
    const versions = await Promise.all([
      labeler(topic, {}),
      labeler(topic, { threads: 2 }),
      labeler(topic, { windows: { size: 16 } }),
    ])
    expect(versions[0]!.version).toBe(versions[1]!.version)
    expect(versions[0]!.version).not.toBe(versions[2]!.version)
  })

  it('uses the mapping for labels that are not subcategories', async () => {
    const actor = { name: 'topic', subcategories: ['money', 'life', 'earth'] }
    const made = await labeler(actor, { mapping: { Finance: 'money', Health: 'life', Nature: 'earth' } })
    const [result] = await made.label(inputs([golden[0]!.text]))
    expect(result).toMatchObject({ ok: true, subcategory: golden[0]!.topic.indexOf(Math.max(...golden[0]!.topic)) })
    await expect(labeler(actor, {})).rejects.toMatchObject({
      code: 'MODEL_UNUSABLE',
      message: expect.stringContaining('"Finance"'),
    })
  })
})

describe('an onnx folder that cannot be used', () => {
  it.each(['model.onnx', 'tokenizer.json', 'config.json'])('without %s is refused, naming the file', async (name) => {
    const folder = copyOfFixtures()
    rmSync(join(folder, 'topic', name))
    await expect(labeler(topic, {}, folder)).rejects.toMatchObject({
      code: 'MODEL_UNUSABLE',
      exitCode: 3,
      message: expect.stringContaining(join('topic', name)),
    })
  })

  it('whose tokenizer has more ids than the model is refused, naming both files', async () => {
    const folder = copyOfFixtures()
    const file = join(folder, 'topic', 'config.json')
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), vocab_size: 50 }))
    const refusal = expect(labeler(topic, {}, folder)).rejects
    await refusal.toMatchObject({
      code: 'MODEL_UNUSABLE',
      message: expect.stringMatching(/tokenizer\.json.*config\.json has vocab_size 50/),
      hint: expect.stringContaining('same Hugging Face checkpoint'),
    })
  })

  it('whose graph has another number of labels than config.json is refused', async () => {
    const folder = copyOfFixtures()
    cpSync(join(folder, 'quality', 'model.onnx'), join(folder, 'topic', 'model.onnx'))
    await expect(labeler(topic, {}, folder)).rejects.toMatchObject({
      code: 'MODEL_UNUSABLE',
      message: expect.stringContaining('3 labels'),
    })
  })

  it('whose graph is not ONNX is refused', async () => {
    const folder = copyOfFixtures()
    writeFileSync(join(folder, 'topic', 'model.onnx'), 'not a graph')
    await expect(labeler(topic, {}, folder)).rejects.toMatchObject({
      code: 'MODEL_UNUSABLE',
      message: expect.stringContaining('model.onnx'),
    })
  })

  it.skipIf(existsSync('/proc/driver/nvidia'))(
    'on a device that is not there is refused, not run elsewhere (skipped with an NVIDIA driver)',
    async () => {
      await expect(labeler(topic, { device: 'cuda' })).rejects.toMatchObject({
        code: 'MODEL_UNUSABLE',
        hint: expect.stringContaining('CUDA'),
      })
    },
  )

  it('with fewer positions than the window needs is refused', async () => {
    await expect(labeler(topic, { windows: { size: 65 } })).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining('64 positions'),
    })
  })
})

/** The exporter's name of the regression head's 16 float32 weights, the second input of the graph's last node. */
const headWeights = 'lifted_tensor_24'

describe('a model whose output is not a number', () => {
  it('gives a reason instead of a label', async () => {
    const folder = copyOfFixtures()
    const file = join(folder, 'quality', 'model.onnx')
    const graph = readFileSync(file)
    const nan = Buffer.alloc(4)
    nan.writeFloatLE(Number.NaN)
    writeFileSync(file, replaceInitializer(graph, headWeights, 64, nan))
    const made = await labeler(quality, {}, folder)
    const [result] = await made.label(inputs(['text']))
    expect(result).toEqual({ ok: false, reason: 'non-finite-score', message: expect.stringContaining('NaN') })
  })
})

/** ONNX keeps an initializer's name next to its raw bytes (field 9: tag 0x4a, then the length): overwrite all of them with `filler`. */
function replaceInitializer(graph: Buffer, name: string, bytes: number, filler: Buffer): Buffer {
  const copy = Buffer.from(graph)
  for (let at = copy.indexOf(name); at >= 0; at = copy.indexOf(name, at + 1)) {
    const raw = copy.indexOf(Buffer.from([0x4a, bytes]), at)
    if (raw < 0 || raw > at + name.length + 8) continue
    for (let i = 0; i < bytes; i += filler.length) filler.copy(copy, raw + 2 + i)
    return copy
  }
  throw new Error(`no initializer ${name} with ${bytes} bytes`)
}

describe('batchByArrival', () => {
  it('fills batches in the order of the sequences up to the token budget', () => {
    expect(batchByArrival([9, 2, 3, 8, 2], 9)).toEqual([[0], [1, 2], [3], [4]])
  })
})

/** Batches of consecutive lengths: a cut after place i where bit i of `cuts` is set. */
function cutAt(sorted: number[], cuts: number): number[][] {
  const batches: number[][] = [[]]
  for (const [i, length] of sorted.entries()) {
    batches.at(-1)!.push(length)
    if (((cuts >> i) & 1) === 1 && i < sorted.length - 1) batches.push([])
  }
  return batches
}

/** Padded tokens and 64 for each batch; a batch of several over the budget is not allowed. */
function costOf(batches: number[][], tokensMax: number): number {
  const padded = batches.map((batch) => batch.length * Math.max(...batch))
  if (batches.some((batch, b) => batch.length > 1 && padded[b]! > tokensMax)) return Number.POSITIVE_INFINITY
  return padded.reduce((sum, tokens) => sum + tokens + 64, 0)
}

describe('bucketByLength', () => {
  it('fills batches with sequences of similar length up to the token budget', () => {
    expect(bucketByLength([9, 2, 3, 8, 2], 9)).toEqual([[1, 4, 2], [3], [0]])
  })

  it('starts a new batch where padding would cost more than another batch', () => {
    expect(bucketByLength([500, 10, 480, 12], 8192)).toEqual([
      [1, 3],
      [2, 0],
    ])
  })

  it('is the cheapest of all ways to cut', () => {
    const lengthsOfAll = fc.array(fc.integer({ min: 1, max: 600 }), { maxLength: 8 })
    fc.assert(
      fc.property(lengthsOfAll, fc.integer({ min: 1, max: 2000 }), (lengths, tokensMax) => {
        const batches = bucketByLength(lengths, tokensMax)
        expect(batches.flat().toSorted((a, b) => a - b)).toEqual([...lengths.keys()])
        const sorted = lengths.toSorted((a, b) => a - b)
        const costs = Array.from({ length: 2 ** Math.max(0, sorted.length - 1) }, (_, cuts) =>
          costOf(cutAt(sorted, cuts), tokensMax),
        )
        const mine = batches.map((batch) => batch.map((i) => lengths[i]!))
        expect(costOf(mine, tokensMax)).toBe(sorted.length === 0 ? 0 : Math.min(...costs))
      }),
    )
  })

  it('gives a sequence over the budget its own batch', () => {
    expect(bucketByLength([100, 100], 10)).toEqual([[0], [1]])
    expect(bucketByLength([], 10)).toEqual([])
  })
})

describe('combineWindows', () => {
  it('joins class by class', () => {
    const windows = [
      [1, 4],
      [3, 0],
    ]
    expect(combineWindows(windows, 'first', [30, 10])).toEqual([1, 4])
    expect(combineWindows(windows, 'mean', [30, 10])).toEqual([2, 2])
    expect(combineWindows(windows, 'weighted', [30, 10])).toEqual([1.5, 3])
    expect(combineWindows(windows, 'max', [30, 10])).toEqual([3, 4])
  })
})
