import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { demoGraphs } from '../../../deploy/demo/model.ts'
import { type Model, openModel } from '../../../services/model/model.ts'
import { readSafetensors } from '../../../services/model/safetensors.ts'
import type { Sequence } from '../../../services/model/sequences.ts'
import { createTrainer, type Trainer } from '../../../services/model/trainer.ts'
import { generator, languageText, temporaryFolder } from './support.ts'

let model: Model
beforeAll(async () => {
  model = await openModel({ graphs: demoGraphs })
})
afterAll(() => model.close())

const [batch, context] = [4, 32]
const options = { start: { seed: '7' }, batch, context, learningRate: 5e-3, warmupSteps: 2, totalSteps: 40 }

/** Rows of made-up languages. */
function rowsOf(languages: readonly number[], seed = 1): Int32Array<ArrayBuffer> {
  const random = generator(seed)
  return Int32Array.from(languages.flatMap((language) => languageText(language, context + 1, random)))
}

function sequences(ids: Int32Array): Sequence[] {
  const rows = Array.from({ length: ids.length / (context + 1) }, (_, row) =>
    ids.slice(row * (context + 1), (row + 1) * (context + 1)),
  )
  return rows.map((row) => ({ ids: row, mask: new Float32Array(row.length).fill(1) }))
}

async function weightsOf(trainer: Trainer): Promise<Map<string, Float32Array>> {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'x.safetensors')
  await trainer.save(path)
  const { tensors } = await readSafetensors(path)
  return new Map([...tensors].map(([name, { data }]) => [name, data]))
}

/** The largest difference of weights, in units of the learning rate, and of moments, in units of their largest. */
function distance(a: Map<string, Float32Array>, b: Map<string, Float32Array>): number {
  let most = 0
  for (const [name, values] of a) {
    const unit = /^[mv]\./.test(name) ? values.reduce((top, value) => Math.max(top, Math.abs(value)), 1e-12) : 5e-3
    for (const [i, value] of values.entries()) most = Math.max(most, Math.abs(value - b.get(name)![i]!) / unit)
  }
  return most
}

describe('what DoReMi asks of a trainer', () => {
  it('losses of single tokens, whose mean is the loss', async () => {
    await using _ = { [Symbol.asyncDispose]: () => trainer.close() }
    const trainer = await createTrainer(model, options)
    const ids = rowsOf([0, 1, 2, 3])
    const losses = await trainer.likelihoods(ids)
    expect(losses).toHaveLength(batch * context)
    const { loss } = await trainer.evaluate(sequences(ids))
    expect(losses.reduce((a, b) => a + b, 0) / losses.length).toBeCloseTo(loss, 5)
    expect(new Set(losses).size).toBeGreaterThan(20)
  })

  it('steps in which rows count by their weight', async () => {
    const [alike, one, two, single] = await Promise.all(
      [batch, batch, batch, 1].map((rows) => createTrainer(model, { ...options, batch: rows })),
    )
    const ids = () => rowsOf([0, 1, 2, 3])
    const plain = await alike!.step(ids())
    expect(await one!.step(ids(), [1, 1, 1, 1])).toEqual(plain)
    expect(await weightsOf(one!)).toEqual(await weightsOf(alike!))
    // Only the second row counts: as if it were alone.
    const weighted = await two!.step(ids(), [0, 4, 0, 0])
    const alone = await single!.step(ids().slice(context + 1, 2 * (context + 1)))
    expect(weighted.loss).toBeCloseTo(alone.loss, 5)
    expect(weighted.gradientNorm).toBeCloseTo(alone.gradientNorm, 4)
    for (const each of [alike, one, two, single]) await each!.close()
  })
})

describe('what DoGE asks of a trainer', () => {
  it('a step along the gradient of a single domain is the step on its batch', async () => {
    const [along, plain] = await Promise.all([createTrainer(model, options), createTrainer(model, options)])
    for (let k = 1; k <= 3; k++) {
      const ids = rowsOf([0, 1, 2, 3], k)
      const { own, target } = await along.gradients([sequences(ids)], null)
      expect(target[0]).toBeCloseTo(own[0]!, 12)
      expect(own[0]).toBeLessThanOrEqual(1 + 1e-4)
      expect(along.learningRate).toBe(plain.learningRate)
      await along.stepAlong([1])
      await plain.step(ids)
    }
    expect(along.steps).toBe(3)
    expect(distance(await weightsOf(plain), await weightsOf(along))).toBeLessThan(2e-3)
    await Promise.all([along.close(), plain.close()])
  })

  it('products with the others, or with a target: domains that share a language agree', async () => {
    const trainer = await createTrainer(model, options)
    const domains = [rowsOf([0, 0], 1), rowsOf([0, 0], 2), rowsOf([4, 4], 3)].map(sequences)
    for (let k = 0; k < 5; k++) await trainer.step(rowsOf([0, 1, 4, 3], 10 + k))
    const universal = await trainer.gradients(domains, null)
    const withOthers = universal.target.map((product, d) => product - universal.own[d]!)
    expect(withOthers[0]).toBeGreaterThan(withOthers[2]!)
    // By symmetry: the products of every two domains, counted twice, and each with itself, are the product of the sum with itself.
    const towards = await trainer.gradients([...domains, null], sequences(rowsOf([4, 4], 9)))
    expect(towards.own.slice(0, 3)).toEqual(universal.own)
    expect(towards.target[2]).toBeGreaterThan(towards.target[0]!)
    expect([towards.own[3], towards.target[3]]).toEqual([0, 0])
    await trainer.stepAlong([0.5, 0.25, 0.25, 0])
    expect(trainer.steps).toBe(6)
    await trainer.close()
  })
})
