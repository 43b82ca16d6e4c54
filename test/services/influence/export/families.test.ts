import { mkdtempSync, rmSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CheckpointStore } from '../../../../services/model/checkpoints/store.ts'
import { type ModelDescription, readDescription } from '../../../../services/model/description.ts'
import { randomWords } from '../../../../services/model/random.ts'
import { type FloatTensor, readSafetensors, sizeOf, writeSafetensors } from '../../../../services/model/safetensors.ts'
import { ModelWorker } from '../../../../services/model/worker/client.ts'
import golden from './families/golden.json' with { type: 'json' }

/**
 * The graphs of every family, run as the services run them, against transformers' own models in float64
 * (services/influence/export/families.py). Errors are relative to the norm of what they are errors of.
 */
const tolerance = 1e-5
const fixtures = join(import.meta.dirname, 'families')
/** For the one checkpoint of each. */
const checkpointBytesMax = 2 ** 28
const families = Object.entries(golden.families)

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'winnow-families-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** families.py, `weight`. */
function weight(name: string, shape: readonly number[]): FloatTensor {
  const words = randomWords(golden.seed, `weights:${name}`, sizeOf(shape))
  const centre = shape.length === 1 && !name.endsWith('bias') ? 1 : 0
  const data = Float32Array.from({ length: sizeOf(shape) }, (_, i) => {
    const upper24 = words[2 * i + 1]! >>> 8
    return (upper24 / 2 ** 23 - 1) * 0.2 + centre
  })
  return { shape, data }
}

/** A checkpoint with zero moments, as a trainer's. */
async function checkpoint(name: string, { parameters }: ModelDescription) {
  const path = join(folder, `${name}.safetensors`)
  const tensors = parameters.flatMap(({ name: key, shape }): [string, FloatTensor][] => {
    const zeros = { shape, data: new Float32Array(sizeOf(shape)) }
    return [
      [key, weight(key, shape)],
      [`m.${key}`, zeros],
      [`v.${key}`, zeros],
    ]
  })
  const { digest } = await writeSafetensors(path, tensors, { steps: '0' })
  return { path, digest }
}

interface Expected {
  ids: number[]
  rows: number
  loss: number
  gradients: Record<string, { norm: number; stride: number; values: number[] }>
}

/** One training step whose new first moments are the batch's gradients. */
async function batchGradients(worker: ModelWorker, from: string, { ids, rows }: Expected) {
  await worker.call('load', { path: from })
  const { loss } = await worker.call('step', {
    ids: Int32Array.from(ids),
    rows,
    learningRate: 0,
    weightDecay: 0,
    beta1: 0,
    beta2: 0,
    epsilon: 1,
    clip: Number.POSITIVE_INFINITY,
  })
  const path = join(folder, 'stepped.safetensors')
  await worker.call('save', { path, metadata: {} })
  return { loss, tensors: (await readSafetensors(path)).tensors }
}

function expectGradients(
  { loss, tensors }: Awaited<ReturnType<typeof batchGradients>>,
  expected: Expected,
  parameters: ModelDescription['parameters'],
) {
  expect(Math.abs(loss - expected.loss)).toBeLessThan(tolerance)
  expect(Object.keys(expected.gradients).toSorted()).toEqual(parameters.map(({ name }) => name).toSorted())
  for (const [name, { norm, stride, values }] of Object.entries(expected.gradients)) {
    const { data } = tensors.get(`m.${name}`)!
    expect(norm, name).toBeGreaterThan(0)
    expect(Math.abs(Math.hypot(...chunkNorms(data)) / norm - 1), name).toBeLessThan(tolerance)
    const errors = values.map((value, i) => data[i * stride]! - value)
    expect(Math.hypot(...errors) / norm, name).toBeLessThan(tolerance)
  }
}

/** Norms of pieces: a call with a hundred thousand arguments overflows the stack. */
const chunkNorms = (data: Float32Array) =>
  Array.from({ length: Math.ceil(data.length / 1024) }, (_, i) =>
    Math.hypot(...data.subarray(i * 1024, (i + 1) * 1024)),
  )

describe.each([1, 2])('on %i thread(s)', (threads) => {
  it.each(families)('the projected gradients of %s agree with float64', async (name, { influence }) => {
    const graphs = join(fixtures, name)
    const description = await readDescription(graphs)
    const worker = new ModelWorker({ folder: graphs, threads }, new CheckpointStore(description, checkpointBytesMax))
    const sequences = influence.map(({ tokens }) => ({
      ids: Int32Array.from(tokens),
      mask: new Float32Array(tokens.length).fill(1),
    }))
    const { phi, losses } = await worker.call('gradients', {
      checkpoint: await checkpoint(name, description),
      projectionSeed: golden.seed,
      sequences,
    })
    const { kIn, kOut, modules } = description.projection
    const size = kIn * kOut * modules.length
    for (const [row, expected] of influence.entries()) {
      expect(Math.abs(losses[row]! - expected.loss)).toBeLessThan(tolerance)
      expect(expected.phi).toHaveLength(size)
      const found = phi.subarray(row * size, (row + 1) * size)
      for (const [m, module] of modules.entries()) {
        const part = expected.phi.slice(m * kIn * kOut, (m + 1) * kIn * kOut)
        const errors = part.map((value, i) => found[m * kIn * kOut + i]! - value)
        expect(Math.hypot(...part), module.name).toBeGreaterThan(0)
        expect(Math.hypot(...errors) / Math.hypot(...part), `row ${row}, ${module.name}`).toBeLessThan(tolerance)
      }
    }
    await worker.close()
  })

  it.each(families)('the training gradients of %s agree with float64', async (name, { training }) => {
    const graphs = join(fixtures, name)
    const description = await readDescription(graphs)
    const worker = new ModelWorker({ folder: graphs, threads }, new CheckpointStore(description, checkpointBytesMax))
    const { path } = await checkpoint(name, description)
    expectGradients(
      await batchGradients(worker, path, training as Expected),
      training as Expected,
      description.parameters,
    )
    await worker.close()
  })

  it('gradients of 3,000 tokens that fall into 3 rows of a wide embedding are reproducible', async () => {
    const graphs = join(fixtures, 'wide')
    const description = await readDescription(graphs)
    const worker = new ModelWorker({ folder: graphs, threads }, new CheckpointStore(description, checkpointBytesMax))
    const { path } = await checkpoint('scatter', description)
    const expected = golden.scatter as Expected
    const first = await batchGradients(worker, path, expected)
    expectGradients(first, expected, description.parameters)
    for (let repeat = 0; repeat < 6; repeat++) {
      const { tensors } = await batchGradients(worker, path, expected)
      for (const { name } of description.parameters)
        expect(Buffer.compare(bytesOf(tensors, name), bytesOf(first.tensors, name)), name).toBe(0)
    }
    await worker.close()
  })
})

const bytesOf = (tensors: ReadonlyMap<string, FloatTensor>, name: string) =>
  Buffer.from(tensors.get(`m.${name}`)!.data.buffer)

it('the committed files of the families are small', async () => {
  let total = 0
  for (const entry of await readdir(fixtures, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) total += (await stat(join(entry.parentPath, entry.name))).size
  expect(total).toBeLessThan(1_000_000)
})
