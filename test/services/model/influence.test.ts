import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { demoGraphs } from '../../../deploy/demo/model.ts'
import type { Checkpoint } from '../../../services/model/checkpoints/checkpoint.ts'
import { createInfluence, type InfluenceOptions } from '../../../services/model/influence.ts'
import { type Model, openModel } from '../../../services/model/model.ts'
import { projections } from '../../../services/model/projection.ts'
import { type FloatTensor, readSafetensors, writeSafetensors } from '../../../services/model/safetensors.ts'
import { documentWindows, type Sequence } from '../../../services/model/sequences.ts'
import { createTrainer } from '../../../services/model/trainer.ts'
import { generator, golden, languageText, scaledCheckpoint, spearman, temporaryFolder } from './support.ts'

const context = 64
const languages = 5
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let model: Model
/** After 40 steps on all languages. */
let trained: Checkpoint
/** Texts of language 0. */
let reference: Sequence[]
/** Four of each language, of several lengths. */
let documents: number[][]

beforeAll(async () => {
  folder = await temporaryFolder()
  model = await openModel({ graphs: demoGraphs })
  const random = generator(5)
  const trainer = await createTrainer(model, {
    start: { seed: '3' },
    batch: 10,
    context: 32,
    learningRate: 5e-3,
    warmupSteps: 5,
    totalSteps: 80,
  })
  for (let k = 0; k < 40; k++)
    await trainer.step(
      Int32Array.from(Array.from({ length: 10 }, (_, row) => languageText(row % languages, 33, random)).flat()),
    )
  const path = join(folder.path, 'trained.safetensors')
  trained = { path, digest: (await trainer.save(path)).digest }
  await trainer.close()
  reference = Array.from({ length: 8 }, () => documentWindows(languageText(0, 40, random), context, 1)[0]!)
  documents = Array.from({ length: 20 }, (_, i) => languageText(i % languages, 12 + 3 * i, random))
})
afterAll(async () => {
  await model.close()
  await folder[Symbol.asyncDispose]()
})

const influence = (options: Partial<InfluenceOptions> = {}) =>
  createInfluence(model, { projectionSeed: '11', normalize: 'none', context, ...options })

describe('projected gradients', () => {
  it('agree with float64', async () => {
    const checkpoint = await scaledCheckpoint(model, golden.seed, golden.weightScale, join(folder.path, 'golden'))
    const worker = model.startWorker()
    const sequences = golden.influence.map(({ tokens }) => ({
      ids: Int32Array.from(tokens),
      mask: new Float32Array(tokens.length).fill(1),
    }))
    const { phi, losses } = await worker.call('gradients', {
      checkpoint,
      projectionSeed: golden.projectionSeed,
      sequences,
    })
    for (const [row, { loss, moduleNorms, everySixteenth }] of golden.influence.entries()) {
      expect(Math.abs(losses[row]! - loss)).toBeLessThan(1e-5)
      const values = phi.subarray(row * 3584, (row + 1) * 3584)
      for (const [m, expected] of moduleNorms.entries()) {
        const part = values.subarray(m * 256, (m + 1) * 256)
        const error = everySixteenth.slice(m * 16, (m + 1) * 16).map((value, i) => part[i * 16]! - value)
        // A sequence of two tokens gives queries and keys no gradient at all.
        const tolerance = 1e-5 * expected + 1e-12
        expect(Math.abs(Math.hypot(...part) - expected), `row ${row}, module ${m}`).toBeLessThan(tolerance)
        expect(Math.hypot(...error), `row ${row}, module ${m}`).toBeLessThan(tolerance)
      }
    }
    await worker.close()
  })
})

describe('influence', () => {
  it('ranks documents as a real step on each of them does, and has its sign', async () => {
    // Besides the documents of one language, some from none to all of the reference's language, the rest of another.
    const random = generator(21)
    const mixed = Array.from({ length: 20 }, (_, i) => [
      ...languageText(0, 2 * i, random),
      ...languageText(1 + (i % 4), 2 * (19 - i), random),
    ])
    const scored = [...documents, ...mixed]
    const scorer = influence()
    const rewards = await (await scorer.at(trained, [reference])).score(scored)
    const worker = model.startWorker()
    const before = await worker.call('probe', { checkpoint: trained, tasks: [reference] })
    const probes: number[] = []
    for (const document of scored) {
      const sequence = documentWindows(document, context, 1)[0]!
      // A step small enough that the loss is almost linear along it, large enough for float32 to see the difference.
      const step = { windows: [sequence], size: 0.002, normalize: 'none' as const, parameters: 'projected' as const }
      const after = await worker.call('probe', { checkpoint: trained, tasks: [reference], step })
      probes.push(before.losses[0]! - after.losses[0]!)
    }
    await Promise.all([scorer.close(), worker.close()])

    expect(spearman(rewards, probes)).toBeGreaterThan(0.85)
    const clear = rewards.filter((_, i) => Math.abs(probes[i]!) > 3e-4)
    const agreeing = rewards.filter((reward, i) => Math.abs(probes[i]!) > 3e-4 && reward * probes[i]! > 0)
    expect(clear.length).toBeGreaterThan(20)
    expect(agreeing.length).toBeGreaterThan(0.9 * clear.length)
    expect(Math.min(...rewards)).toBeLessThan(0)
  })

  it.each([
    ['none', 0.05],
    ['cosine', 0.2],
  ] as const)(
    'by a probe (%s) is the fall of the reference loss where a checkpoint really steps',
    async (normalize, size) => {
      const tasks = [reference, [documentWindows(documents[1]!, context, 1)[0]!]]
      const long = languageText(0, 100, generator(33))
      const scorer = influence({ estimator: 'probe', normalize, probeStep: size, windows: 2 })
      expect(scorer.estimator).toBe(`probe/${normalize}/${size}`)
      const at = await scorer.at(trained, tasks)
      const { summaries } = at
      const [rewards] = await at.scoreTasks([long])

      // The gradient of each window from a trainer's first moment; the step, in float64, by hand.
      const { tensors } = await readSafetensors(trained.path)
      const windows = documentWindows(long, context, 2)
      const options = {
        batch: 1,
        learningRate: 0,
        warmupSteps: 0,
        totalSteps: 9,
        beta1: 0,
        clip: Number.POSITIVE_INFINITY,
      }
      const slopes: Map<string, FloatTensor>[] = []
      for (const { ids } of windows) {
        const trainer = await createTrainer(model, {
          ...options,
          start: { checkpoint: trained.path },
          context: ids.length - 1,
        })
        await trainer.step(Int32Array.from(ids))
        const path = join(folder.path, 'slope.safetensors')
        await trainer.save(path)
        await trainer.close()
        slopes.push((await readSafetensors(path)).tensors)
      }
      const names = [...tensors.keys()].filter((name) => !/^[mv]\./.test(name))
      const targets = windows.map(({ ids }) => ids.length - 1)
      const all = targets[0]! + targets[1]!
      const slopeOf = (name: string, i: number) =>
        slopes.reduce((sum, slope, w) => sum + (targets[w]! / all) * slope.get(`m.${name}`)!.data[i]!, 0)
      let squares = 0
      for (const name of names)
        for (let i = 0; i < tensors.get(name)!.data.length; i++) squares += slopeOf(name, i) ** 2
      const rate = normalize === 'none' ? size : size / Math.sqrt(squares)
      const stepped = [...tensors].map(([name, { shape, data }]): [string, FloatTensor] => [
        name,
        { shape, data: names.includes(name) ? data.map((weight, i) => weight - rate * slopeOf(name, i)) : data },
      ])
      const path = join(folder.path, 'stepped.safetensors')
      await writeSafetensors(path, stepped, { steps: '41' })
      const losses = []
      for (const checkpoint of [trained.path, path]) {
        const trainer = await createTrainer(model, { ...options, start: { checkpoint }, context: 1 })
        // All samples of a task are of one length, so that the mean over targets is the mean over samples.
        losses.push([(await trainer.evaluate(tasks[0]!)).loss, (await trainer.evaluate(tasks[1]!)).loss])
        await trainer.close()
      }
      for (const t of [0, 1]) {
        expect(summaries[t]!.loss).toBeCloseTo(losses[0]![t]!, 5)
        expect(Math.abs(losses[0]![t]! - losses[1]![t]!)).toBeGreaterThan(1e-4)
        expect(rewards![t]).toBeCloseTo(losses[0]![t]! - losses[1]![t]!, 5)
      }
      expect(rewards![0]).toBeGreaterThan(0)
      await scorer.close()
    },
  )

  it.each(['mean', 'max'] as const)('for several tasks is their %s, and each task is there apart', async (combine) => {
    const other = Array.from({ length: 4 }, (_, i) => documentWindows(documents[5 * i + 1]!, context, 1)[0]!)
    const [both, first, second] = [influence({ combine }), influence(), influence()]
    const atBoth = await both.at(trained, [reference, other])
    const apart = await atBoth.scoreTasks(documents)
    const ofFirst = await (await first.at(trained, [reference])).score(documents)
    const ofSecond = await (await second.at(trained, [other])).score(documents)
    expect(apart).toEqual(documents.map((_, i) => [ofFirst[i], ofSecond[i]]))
    const expected = apart.map(([a, b]) => (combine === 'mean' ? (a! + b!) / 2 : Math.max(a!, b!)))
    expect(await atBoth.score(documents)).toEqual(expected)
    await Promise.all([both.close(), first.close(), second.close()])
  })

  describe('with the moments of Adam', () => {
    /** Whole gradients from a trainer's first moment after one step, the mean over sequences. */
    async function slopesOf(sequences: readonly Sequence[]): Promise<Map<string, Float64Array>> {
      const mean = new Map<string, Float64Array>()
      const options = {
        batch: 1,
        learningRate: 0,
        warmupSteps: 0,
        totalSteps: 9,
        beta1: 0,
        clip: Number.POSITIVE_INFINITY,
      }
      for (const { ids } of sequences) {
        const start = { checkpoint: trained.path }
        const trainer = await createTrainer(model, { ...options, start, context: ids.length - 1 })
        await trainer.step(Int32Array.from(ids))
        const path = join(folder.path, 'slope.safetensors')
        await trainer.save(path)
        await trainer.close()
        for (const [name, { data }] of (await readSafetensors(path)).tensors) {
          if (!name.startsWith('m.')) continue
          const sum = mean.get(name.slice(2)) ?? new Float64Array(data.length)
          for (let i = 0; i < sum.length; i++) sum[i]! += data[i]! / sequences.length
          mean.set(name.slice(2), sum)
        }
      }
      return mean
    }

    it('values of gradients count as Adam divides them, in float64', async () => {
      const task = reference.slice(0, 3)
      const slopes = await slopesOf(task)
      const { tensors } = await readSafetensors(trained.path)
      const signs = projections(model.description, '11')
      const direction: number[] = []
      for (const { name, inSize, outSize } of model.description.projection.modules) {
        const [slope, moments] = [slopes.get(`${name}.weight`)!, tensors.get(`v.${name}.weight`)!.data]
        const [pIn, pOut] = [signs.get(`P_in.${name}`)!.data, signs.get(`P_out.${name}`)!.data]
        const block = new Float64Array(256)
        for (let o = 0; o < outSize; o++)
          for (let i = 0; i < inSize; i++) {
            const value = slope[o * inSize + i]! / (Math.sqrt(moments[o * inSize + i]!) + 1e-8)
            for (let l = 0; l < 16; l++)
              for (let k = 0; k < 16; k++) block[16 * l + k]! += pOut[16 * o + l]! * value * pIn[16 * i + k]!
          }
        direction.push(...block)
      }
      const scorer = influence({ preconditioner: 'adam' })
      expect(scorer.estimator).toBe('gradient/none/identity/adam')
      const rewards = await (await scorer.at(trained, [task])).score(documents)
      const worker = model.startWorker()
      const sequences = documents.map((document) => documentWindows(document, context, 1)[0]!)
      const { phi } = await worker.call('gradients', { checkpoint: trained, projectionSeed: '11', sequences })
      for (const [d, reward] of rewards.entries()) {
        const expected = direction.reduce((sum, value, i) => sum + value * phi[d * 3584 + i]!, 0)
        expect(Math.abs(reward - expected)).toBeLessThan(
          1e-5 * Math.hypot(...direction) * Math.hypot(...phi.subarray(d * 3584, (d + 1) * 3584)),
        )
      }
      await Promise.all([scorer.close(), worker.close()])
    })

    it('gradient and probe still rank documents alike', async () => {
      const both = []
      for (const estimator of ['gradient', 'probe'] as const) {
        const scorer = influence({ estimator, preconditioner: 'adam', normalize: 'cosine', probeStep: 0.05 })
        both.push(await (await scorer.at(trained, [reference])).score(documents))
        await scorer.close()
      }
      // A step's own gradient is part of the moments that divide it, which no inner product can have.
      expect(spearman(both[0]!, both[1]!)).toBeGreaterThan(0.75)
    })

    it('a checkpoint without them is refused', async () => {
      const bare = await scaledCheckpoint(model, '6', 1, join(folder.path, 'bare.safetensors'))
      const scorer = influence({ preconditioner: 'adam' })
      await expect(scorer.at(bare, [reference])).rejects.toMatchObject({
        code: 'BAD_DATA',
        message: expect.stringMatching(/v\..* is missing/),
        hint: expect.stringContaining('preconditioner'),
      })
      await scorer.close()
    })
  })

  it('favours documents of the reference and gives the reference itself a cosine near 1', async () => {
    const scorer = influence({ normalize: 'cosine' })
    expect(scorer.estimator).toBe('gradient/cosine/identity')
    const rewards = await (await scorer.at(trained, [reference])).score(documents)
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
    const byLanguage = Array.from({ length: languages }, (_, l) => mean(rewards.filter((_, i) => i % languages === l)))
    expect(byLanguage.indexOf(Math.max(...byLanguage))).toBe(0)
    for (const reward of rewards) expect(Math.abs(reward)).toBeLessThanOrEqual(1)

    const itself = await scorer.at(trained, [[documentWindows(documents[0]!, context, 1)[0]!]])
    expect((await itself.score([documents[0]!]))[0]).toBeCloseTo(1, 12)
    await scorer.close()
  })

  it('does not depend, to the bit, on which documents are asked together or on the number of workers', async () => {
    const scorers = [influence(), influence({ workers: 2 })]
    const [one, two] = await Promise.all(scorers.map((scorer) => scorer.at(trained, [reference])))
    const alone: number[] = []
    for (const document of documents) alone.push(...(await one!.score([document])))
    expect(await one!.score(documents)).toEqual(alone)
    expect(await one!.score(documents.toReversed())).toEqual(alone.toReversed())
    expect(await two!.score(documents)).toEqual(alone)
    await Promise.all(scorers.map((scorer) => scorer.close()))
  })

  it('averages the windows of a document by their targets', async () => {
    const random = generator(9)
    const long = languageText(0, 100, random)
    const [first, both] = [influence(), influence({ windows: 2 })]
    const [reward] = await (await both.at(trained, [reference])).score([long])
    const [head] = await (await first.at(trained, [reference])).score([long])
    const worker = model.startWorker()
    const sequences = [...documentWindows(long, context, 2), ...reference]
    const { phi } = await worker.call('gradients', { checkpoint: trained, projectionSeed: '11', sequences })
    const products = [0, 1].map((w) => {
      let sum = 0
      for (let r = 2; r < sequences.length; r++)
        for (let i = 0; i < 3584; i++) sum += (phi[w * 3584 + i]! * phi[r * 3584 + i]!) / reference.length
      return sum
    })
    expect(head).toBeCloseTo(products[0]!, 10)
    // 64 targets in the first window; 36 tokens and the end of the document in the second.
    expect(reward).toBeCloseTo((64 * products[0]! + 37 * products[1]!) / 101, 10)
    await Promise.all([first.close(), both.close(), worker.close()])
  })

  it('takes texts, of which it reads no more than its windows need', async () => {
    const scorer = influence()
    const at = await scorer.at(trained, [reference])
    const text = 'The jury said the election was conducted well. '.repeat(200)
    const tokens = await model.tokenizer.encode(text)
    const [fromText, fromTokens] = await at.score([text, tokens])
    expect(fromText).toBe(fromTokens)
    expect((await at.score([''])).every(Number.isFinite)).toBe(true)
    await scorer.close()
  })

  it('never mixes two checkpoints that are asked for at once', async () => {
    const other = await scaledCheckpoint(model, '4', 2, join(folder.path, 'other.safetensors'))
    const expected = []
    for (const checkpoint of [trained, other]) {
      const scorer = influence()
      expected.push(await (await scorer.at(checkpoint, [reference])).score(documents))
      await scorer.close()
    }
    expect(expected[0]).not.toEqual(expected[1])
    const scorer = influence({ workers: 2 })
    const old = await scorer.at(trained, [reference])
    const loading = scorer.at(other, [reference])
    const answers = await Promise.all(documents.map(async (document) => (await old.score([document]))[0]))
    expect(answers).toEqual(expected[0])
    const [atNew, atOld] = await Promise.all([(await loading).score(documents), old.score(documents)])
    expect([atOld, atNew]).toEqual(expected)
    await scorer.close()
  })

  it('keeps the references of two checkpoints', async () => {
    const scorer = influence()
    const checkpoints = [trained]
    for (const seed of ['1', '2'])
      checkpoints.push(await scaledCheckpoint(model, seed, 1, join(folder.path, `seed-${seed}.safetensors`)))
    const at = (k: number) => scorer.at(checkpoints[k]!, [reference])
    const first = await at(0)
    expect(first.summaries.map(({ sequences }) => sequences)).toEqual([8])
    expect(await at(0)).toBe(first)
    const second = await at(1)
    expect([await at(0), await at(1)]).toEqual([first, second])
    await at(0)
    await at(2)
    expect(await at(0)).toBe(first)
    const again = await at(1)
    expect(again).not.toBe(second)
    expect(again.summaries).toEqual(second.summaries)
    const fewer = await scorer.at(trained, [reference.slice(0, 3)])
    expect(fewer.summaries[0]!.sequences).toBe(3)
    await scorer.close()
  })

  it('refuses a checkpoint whose file is another one than the request names, and goes on', async () => {
    const scorer = influence()
    const replaced = join(folder.path, 'replaced.safetensors')
    await copyFile(trained.path, replaced)
    await expect(scorer.at({ path: replaced, digest: '00' }, [reference])).rejects.toMatchObject({
      code: 'CHECKPOINT_INCOMPLETE',
      message: expect.stringContaining('the request names 00'),
    })
    await expect(scorer.at({ path: '/nowhere', digest: '01' }, [reference])).rejects.toMatchObject({
      code: 'CHECKPOINT_INCOMPLETE',
    })
    await expect(scorer.at(trained, [])).rejects.toMatchObject({ code: 'CONFIGURATION' })
    expect(
      (await scorer.at({ path: replaced, digest: trained.digest }, [reference])).summaries[0]!.loss,
    ).toBeGreaterThan(0)
    await scorer.close()
  })
})
