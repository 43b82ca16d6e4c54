import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { projections } from '../../../services/model/projection.ts'
import { readSafetensors } from '../../../services/model/safetensors.ts'
import { documentWindows, type Sequence } from '../../../services/model/sequences.ts'
import { createTrainer } from '../../../services/model/trainer.ts'
import { scaledCheckpoint, spearman } from './support.ts'
import { context, type Trained, trainedModel } from './trained.ts'

let world: Trained
beforeAll(async () => {
  world = await trainedModel()
})
afterAll(() => world[Symbol.asyncDispose]())

describe('rewards with the moments of Adam', () => {
  /** Whole gradients from a trainer's first moment after one step, the mean over sequences. */
  async function slopesOf(sequences: readonly Sequence[]): Promise<Map<string, Float64Array>> {
    const { folder, model, trained } = world
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
      const path = join(folder, 'slope.safetensors')
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

  it('gradients are scaled as Adam scales them, in float64', async () => {
    const { model, trained, reference, documents, influence } = world
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
    const { trained, reference, documents, influence } = world
    const both = []
    for (const estimator of ['gradient', 'probe'] as const) {
      const scorer = influence({ estimator, preconditioner: 'adam', normalize: 'cosine', probeStep: 0.05 })
      both.push(await (await scorer.at(trained, [reference])).score(documents))
      await scorer.close()
    }
    // A step's own gradient is part of the moments that divide it, which no inner product can have.
    expect(spearman(both[0]!, both[1]!)).toBeGreaterThan(0.75)
  })

  it('a checkpoint without moments is refused', async () => {
    const { folder, model, reference, influence } = world
    const bare = await scaledCheckpoint(model, '6', 1, join(folder, 'bare.safetensors'))
    const scorer = influence({ preconditioner: 'adam' })
    await expect(scorer.at(bare, [reference])).rejects.toMatchObject({
      code: 'BAD_DATA',
      message: expect.stringMatching(/v\..* is missing/),
      hint: expect.stringContaining('preconditioner'),
    })
    await scorer.close()
  })
})
