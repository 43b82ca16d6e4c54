import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FloatTensor, readSafetensors, writeSafetensors } from '../../../services/model/safetensors.ts'
import { documentWindows } from '../../../services/model/sequences.ts'
import { createTrainer } from '../../../services/model/trainer.ts'
import { generator, languageText } from './support.ts'
import { context, type Trained, trainedModel } from './trained.ts'

let world: Trained
beforeAll(async () => {
  world = await trainedModel()
})
afterAll(() => world[Symbol.asyncDispose]())

describe('rewards by probes', () => {
  it.each([
    ['none', 0.05],
    ['cosine', 0.2],
  ] as const)(
    'equal the decrease (%s) of the reference loss over a real step from the checkpoint',
    async (normalize, size) => {
      const { folder, model, trained, reference, documents, influence } = world
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
        const path = join(folder, 'slope.safetensors')
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
      const path = join(folder, 'stepped.safetensors')
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
})

describe('rewards for several tasks', () => {
  it.each(['mean', 'max'] as const)('are the %s over tasks, and each task’s reward is reported', async (combine) => {
    const { trained, reference, documents, influence } = world
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
})
