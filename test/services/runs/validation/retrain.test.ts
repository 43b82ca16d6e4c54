import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asDocumentId } from '../../../../schemas/index.ts'
import { type Model, openModel } from '../../../../services/model/model.ts'
import { createTrainer } from '../../../../services/model/trainer.ts'
import { leaveOut } from '../../../../services/runs/validation/retrain.ts'
import { testRun } from '../../../support/run.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-retrain-'))
const sea = (n: number) => `The ship ${n} sailed over the grey sea, and the sea was calm. `.repeat(4)
const law = (n: number) => `Section ${n}: the court may by order so direct as it thinks fit. `.repeat(4)
/** Every group of two has both kinds, or one of them twice. */
const documents = Array.from({ length: 16 }, (_, n) => ({
  id: asDocumentId(BigInt(n)),
  text: n % 2 === 0 ? sea(n) : law(n),
}))
const trainer = { batch: 2, context: 32, learningRate: 5e-3, warmupSteps: 0 }
const checkpoint = { path: join(folder, 'start.safetensors'), digest: '' }
let model: Model
let run: ReturnType<typeof testRun>

beforeAll(async () => {
  model = await openModel({ graphs: 'shipped:llama-32x2' })
  const reference = join(folder, 'reference.jsonl')
  writeFileSync(reference, [40, 41, 42].map((n) => `${JSON.stringify({ text: sea(n) })}\n`).join(''))
  run = testRun('mine', { trainer, reference: { reward: reference, evaluation: reference, corpus: reference } })
  // A model that has begun to learn: the first steps of any model are alike.
  const settings = { batch: 2, context: 32, learningRate: 5e-3, warmupSteps: 0, totalSteps: 100 }
  const start = await createTrainer(model, { ...settings, start: { seed: '1' } })
  for (let step = 0; step < 3; step++) {
    const ids = (await model.tokenizer.encodeAll([law(step).repeat(3)]))[0]!
    await start.step(Int32Array.from({ length: 2 * 33 }, (_, at) => ids[at % ids.length]!))
  }
  checkpoint.digest = (await start.save(checkpoint.path)).digest
  await start.close()
}, 60_000)
afterAll(async () => {
  await model.close()
  rmSync(folder, { recursive: true })
})

const kept = join(folder, 'kept.jsonl')
const left = (more: object = {}) => leaveOut(run, model, { checkpoint, documents, leave: 2, workers: 2, kept, ...more })

test('leaving out groups does to the loss what their rewards say, and trainings that are kept are not done again', {
  timeout: 120_000,
}, async () => {
  const progress: number[][] = []
  const found = await left({ onProgress: (...at: number[]) => progress.push(at) })
  expect(progress).toEqual(Array.from({ length: 10 }, (_, done) => [done, 9]))
  expect(found).toMatchObject({ documents: 16, leave: 2, learningRate: 5e-3 })
  expect(found.lossAfter).toBeLessThan(found.lossBefore - 0.5)
  const seas = ({ documents: ids }: (typeof found.groups)[number]) => ids.filter((id) => id % 2n === 0n).length
  const mean = (of: number, by: 'effect' | 'predicted') => {
    const some = found.groups.filter((group) => seas(group) === of)
    return some.reduce((sum, group) => sum + group[by], 0) / some.length
  }
  // Two texts like the reference are missed, two others are not.
  expect(mean(2, 'effect')).toBeGreaterThan(mean(0, 'effect'))
  expect(mean(2, 'predicted')).toBeGreaterThan(mean(0, 'predicted'))
  expect(found.spearman!.mean).toBeGreaterThan(0)

  // A kill leaves half a line.
  const lines = readFileSync(kept, 'utf8').split('\n')
  writeFileSync(kept, lines.slice(0, -2).join('\n'))
  appendFileSync(kept, '\n{"key":"ab')
  const again: number[][] = []
  expect(await left({ onProgress: (...at: number[]) => again.push(at) })).toEqual(found)
  expect(again[0]).toEqual([7, 9])
  const others: number[][] = []
  await left({ leave: 4, onProgress: (...at: number[]) => others.push(at) })
  expect(others[0]).toEqual([1, 5])
})

test('too few documents are refused', async () => {
  await expect(left({ leave: 8 })).rejects.toMatchObject({
    code: 'CONFIGURATION',
    message: '16 documents make 2 groups of 8, and ranks need 3',
  })
  const one = [{ id: asDocumentId(1n), text: 'short' }]
  await expect(left({ documents: one, leave: 1 })).rejects.toMatchObject({ message: '1 documents fill no batch' })
})
