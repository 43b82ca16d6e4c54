import { describe, expect, it } from 'vitest'
import type { ModelDescription } from '../../../../services/model/description.ts'
import { type GradientOptions, gradientEstimator } from '../../../../services/model/estimators/gradient.ts'
import type { Sequence } from '../../../../services/model/sequences.ts'
import { targetsOf } from '../../../../services/model/sequences.ts'
import type { ModelWorker } from '../../../../services/model/worker/client.ts'
import { generator, solved } from '../support.ts'

const size = 6
const description = { projection: { kIn: 2, kOut: 3, modules: [{ name: 'only', inSize: 2, outSize: 3 }] } }
const checkpoint = { path: 'anywhere', digest: '00' }

/** A sequence whose first id says which of the gradients below it has. */
const sequence = (which: number, targets = 4): Sequence => ({
  ids: Int32Array.from({ length: targets + 1 }, () => which),
  mask: new Float32Array(targets + 1).fill(1),
})

const random = generator(17)
const gradients = Array.from({ length: 30 }, () => Float32Array.from({ length: size }, () => random() - 0.5))
gradients[29]!.fill(0)

/** A worker that looks gradients up. */
const worker = {
  call(_operation: 'gradients', { sequences }: { sequences: readonly Sequence[] }) {
    const phi = new Float32Array(size * sequences.length)
    for (const [i, { ids }] of sequences.entries()) phi.set(gradients[ids[0]!]!, i * size)
    const losses = Float64Array.from(sequences, ({ ids }) => ids[0]!)
    return Promise.resolve({ phi, losses, targets: Float64Array.from(sequences, targetsOf) })
  },
} as unknown as ModelWorker

const estimatorWith = (options: Partial<GradientOptions> = {}) =>
  gradientEstimator(description as unknown as ModelDescription, [worker], {
    projectionSeed: '1',
    normalize: 'none',
    hessian: 'identity',
    damping: 0.1,
    preconditioner: 'none',
    ...options,
  })

const product = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a).reduce((sum, x, i) => sum + x * b[i]!, 0)
const meanOf = (indices: readonly number[]) =>
  Array.from({ length: size }, (_, i) => indices.reduce((sum, k) => sum + gradients[k]![i]!, 0) / indices.length)

const tasks = [
  [0, 1, 2, 3],
  [4, 5, 6],
]
const reference = tasks.map((task) => task.map((which) => sequence(which)))
const documents = [[sequence(10)], [sequence(11, 6), sequence(12, 2)], [sequence(0)], [sequence(29)]]
/** The gradients of the documents, of the second 6/8 of one window and 2/8 of the other. */
const ofDocuments = [
  gradients[10]!,
  gradients[11]!.map((value, i) => 0.75 * value + 0.25 * gradients[12]![i]!),
  gradients[0]!,
  gradients[29]!,
]

function expectRewards(found: number[][], expected: number[][]): void {
  expect(found.length).toBe(expected.length)
  for (const [d, rewards] of expected.entries())
    for (const [t, reward] of rewards.entries()) expect(found[d]![t], `document ${d}, task ${t}`).toBeCloseTo(reward, 6)
}

describe('the gradient estimator', () => {
  it('multiplies the document’s gradient, averaged over its windows by targets, with each task’s mean gradient', async () => {
    const prepared = await estimatorWith().prepare(checkpoint, reference)
    expectRewards(
      await prepared.score(documents),
      ofDocuments.map((gradient) => tasks.map((task) => product(gradient, meanOf(task)))),
    )
    expect(prepared.summaries.map(({ loss, sequences }) => [loss, sequences])).toEqual([
      [1.5, 4],
      [5, 3],
    ])
    for (const [t, { gradientNorm }] of prepared.summaries.entries())
      expect(gradientNorm).toBeCloseTo(Math.hypot(...meanOf(tasks[t]!)), 12)
  })

  it('with cosine divides by both norms, and gives 0 to a document with zero gradient', async () => {
    const prepared = await estimatorWith({ normalize: 'cosine' }).prepare(checkpoint, reference)
    const cosine = (a: ArrayLike<number>, b: number[]) =>
      product(a, b) === 0 ? 0 : product(a, b) / (Math.hypot(...Array.from(a)) * Math.hypot(...b))
    expectRewards(
      await prepared.score(documents),
      ofDocuments.map((gradient) => tasks.map((task) => cosine(gradient, meanOf(task)))),
    )
  })

  it.each(['none', 'cosine'] as const)(
    'with the Fisher matrix of all reference samples and %s solves H x = mean gradient',
    async (normalize) => {
      const damping = 0.3
      const estimator = estimatorWith({ hessian: 'fisher', damping, normalize })
      expect(estimator.name).toBe(`gradient/${normalize}/fisher-0.3`)
      const samples = tasks.flat().map((which) => gradients[which]!)
      const trace = samples.reduce((sum, g) => sum + product(g, g), 0) / samples.length
      const hessian = Array.from({ length: size }, (_, i) =>
        Array.from(
          { length: size },
          (_, j) =>
            samples.reduce((sum, g) => sum + g[i]! * g[j]!, 0) / samples.length +
            (i === j ? (damping * trace) / samples.length : 0),
        ),
      )
      const directions = tasks.map((task) => solved(hessian, meanOf(task)))
      const scale = (gradient: ArrayLike<number>, direction: number[]) =>
        normalize === 'none' ? 1 : 1 / (Math.hypot(...Array.from(gradient)) * Math.hypot(...direction) || 1)
      const prepared = await estimator.prepare(checkpoint, reference)
      expectRewards(
        await prepared.score(documents),
        ofDocuments.map((gradient) =>
          directions.map((direction) => scale(gradient, direction) * product(gradient, direction)),
        ),
      )
    },
  )

  it('does not let a reward depend on the other documents or on the number of workers', async () => {
    const alone = []
    const one = await estimatorWith({ hessian: 'fisher' }).prepare(checkpoint, reference)
    for (const document of documents) alone.push(...(await one.score([document])))
    expect(await one.score(documents)).toEqual(alone)
    expect(await one.score(documents.toReversed())).toEqual(alone.toReversed())
  })
})
