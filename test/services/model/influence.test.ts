import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { documentWindows } from '../../../services/model/sequences.ts'
import { generator, golden, languageText, scaledCheckpoint, spearman } from './support.ts'
import { context, languages, type Trained, trainedModel } from './trained.ts'

let world: Trained
beforeAll(async () => {
  world = await trainedModel()
})
afterAll(() => world[Symbol.asyncDispose]())

describe('projected gradients', () => {
  it('agree with float64', async () => {
    const { folder, model } = world
    const checkpoint = await scaledCheckpoint(model, golden.seed, golden.weightScale, join(folder, 'golden'))
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

describe('rewards by gradients', () => {
  it('rank documents as a real step on each of them does, with the same signs', async () => {
    const { model, trained, reference, documents, influence } = world
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

  it('favour documents of the reference and give the reference itself a cosine near 1', async () => {
    const { trained, reference, documents, influence } = world
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

  it('do not depend, to the bit, on the other documents of the batch or the number of workers', async () => {
    const { trained, reference, documents, influence } = world
    const scorers = [influence(), influence({ workers: 2 })]
    const [one, two] = await Promise.all(scorers.map((scorer) => scorer.at(trained, [reference])))
    const alone: number[] = []
    for (const document of documents) alone.push(...(await one!.score([document])))
    expect(await one!.score(documents)).toEqual(alone)
    expect(await one!.score(documents.toReversed())).toEqual(alone.toReversed())
    expect(await two!.score(documents)).toEqual(alone)
    await Promise.all(scorers.map((scorer) => scorer.close()))
  })

  it('average the windows of a document by their targets', async () => {
    const { model, trained, reference, influence } = world
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

  it('read no more of a text than its windows need', async () => {
    const { model, trained, reference, influence } = world
    const scorer = influence()
    const at = await scorer.at(trained, [reference])
    const text = 'The jury said the election was conducted well. '.repeat(200)
    const tokens = await model.tokenizer.encode(text)
    const [fromText, fromTokens] = await at.score([text, tokens])
    expect(fromText).toBe(fromTokens)
    expect((await at.score([''])).every(Number.isFinite)).toBe(true)
    await scorer.close()
  })
})
