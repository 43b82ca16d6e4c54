import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { demoGraphs } from '../../../deploy/demo/model.ts'
import { type Model, openModel } from '../../../services/model/model.ts'
import { readSafetensors, writeSafetensors } from '../../../services/model/safetensors.ts'
import { documentWindows } from '../../../services/model/sequences.ts'
import { createTrainer, type TrainerOptions } from '../../../services/model/trainer.ts'
import { generator, golden, languageText, temporaryFolder } from './support.ts'

let model: Model
beforeAll(async () => {
  model = await openModel({ graphs: demoGraphs })
})
afterAll(() => model.close())

const small = { start: { seed: '7' }, batch: 4, context: 32, learningRate: 5e-3, warmupSteps: 2, totalSteps: 40 }
const trainer = (options: Partial<TrainerOptions> = {}) => createTrainer(model, { ...small, ...options })

/** Batch k of a stream of made-up text. */
function batch(k: number): Int32Array<ArrayBuffer> {
  const random = generator(100 + k)
  return Int32Array.from(Array.from({ length: small.batch }, (_, row) => languageText(row, 33, random)).flat())
}

describe('training', () => {
  it('matches AdamW in float64 with clipping, weight decay on matrices only, warm-up and cosine', async () => {
    const training = await trainer({ totalSteps: 6 })
    for (const [k, loss] of golden.training.losses.entries()) {
      const result = await training.step(Int32Array.from(golden.training.batch))
      expect(Math.abs(result.loss / loss - 1), `loss of step ${k}`).toBeLessThan(1e-5)
      expect(Math.abs(result.gradientNorm / golden.training.gradientNorms[k]! - 1), `norm of step ${k}`).toBeLessThan(
        1e-4,
      )
    }
    await training.close()
  })

  it('overfits a small batch', async () => {
    const training = await trainer()
    const losses: number[] = []
    for (let k = 0; k < 40; k++) losses.push((await training.step(batch(0))).loss)
    expect(losses[0]).toBeCloseTo(Math.log(4096), 1)
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 2)
    expect(training.steps).toBe(40)
    await training.close()
  })

  it('resumes from a checkpoint to the bit', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'step-5.safetensors')
    const training = await trainer()
    for (let k = 0; k < 5; k++) await training.step(batch(k))
    const { digest } = await training.save(path, { position: '3:17' })
    const onward = []
    for (let k = 5; k < 10; k++) onward.push(await training.step(batch(k)))

    const resumed = await trainer({ start: { checkpoint: path } })
    expect(resumed.steps).toBe(5)
    const again = []
    for (let k = 5; k < 10; k++) again.push(await resumed.step(batch(k)))
    expect(again).toEqual(onward)

    expect(await resumed.load(path)).toEqual({ steps: 5, digest, metadata: { position: '3:17', steps: '5' } })
    expect((await resumed.save(join(folder.path, 'again.safetensors'), { position: '3:17' })).digest).toBe(digest)
    await Promise.all([training.close(), resumed.close()])
  })

  it('saves the state between the steps requested before and after', async () => {
    await using folder = await temporaryFolder()
    const training = await trainer()
    const paths = ['a', 'b'].map((name) => join(folder.path, name))
    const [, first, , second] = await Promise.all([
      training.step(batch(0)),
      training.save(paths[0]!),
      training.step(batch(1)),
      training.save(paths[1]!),
    ])
    expect((await readSafetensors(paths[0]!)).digest).toBe(first.digest)
    expect((await readSafetensors(paths[0]!)).metadata.steps).toBe('1')
    expect((await readSafetensors(paths[1]!)).digest).toBe(second.digest)
    await training.close()
  })

  it('evaluates the mean over all weighted targets, for long and short sequences alike', async () => {
    const training = await trainer()
    const [long, short] = [languageText(0, 60, generator(1)), languageText(1, 3, generator(2))].map(
      (tokens) => documentWindows(tokens, 64, 1)[0]!,
    )
    const [a, b, both] = await Promise.all([[long!], [short!], [long!, short!]].map((each) => training.evaluate(each)))
    expect([a!.tokens, b!.tokens, both!.tokens]).toEqual([61, 4, 65])
    expect(both!.loss).toBeCloseTo((61 * a!.loss + 4 * b!.loss) / 65, 12)
    long!.mask.fill(0, 10)
    expect((await training.evaluate([long!])).tokens).toBe(9)
    await training.close()
  })

  it('refuses a checkpoint that is not of this model', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'other.safetensors')
    await writeSafetensors(path, [['model.embed_tokens.weight', { shape: [1], data: Float32Array.of(1) }]], {
      steps: '1',
    })
    await expect(trainer({ start: { checkpoint: path } })).rejects.toMatchObject({
      code: 'BAD_DATA',
      message: expect.stringContaining('model.embed_tokens.weight is [1], expected [4096,64]'),
    })
    await writeSafetensors(path, [])
    await expect(trainer({ start: { checkpoint: path } })).rejects.toThrow('after how many steps')
  })

  it('refuses token ids that the model does not have, and stays usable', async () => {
    const training = await trainer()
    await expect(training.step(batch(0).fill(4096))).rejects.toThrow('token id 4096')
    await expect(training.step(new Int32Array(3))).rejects.toThrow('a batch has 4 x 33 token ids, got 3')
    expect((await training.step(batch(0))).loss).toBeGreaterThan(0)
    await training.close()
  })

  it('reports divergence', async () => {
    const training = await trainer({ learningRate: 1e30, warmupSteps: 0 })
    await training.step(batch(0))
    await expect(training.step(batch(1))).rejects.toMatchObject({
      code: 'BAD_DATA',
      message: expect.stringContaining('diverged'),
    })
    await training.close()
  })
})
