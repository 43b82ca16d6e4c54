import { expect, test } from 'vitest'
import { influenceCost, modelCost, parametersOf } from '../../../services/model/cost.ts'
import { readDescription } from '../../../services/model/description.ts'
import { graphsFolder } from '../../../services/model/shipped.ts'
import { flopsOf } from '../../../topologies/ledger/pieces.ts'

const description = await readDescription(graphsFolder('shipped:llama-64x2'))
/** Two layers of width 64 with 160 in between, and an output layer for 4,096 tokens. */
const multiplying = 2 * (4 * 64 * 64 + 3 * 64 * 160) + 4096 * 64

test('the parameters of a causal model that multiply are its matrices, without the table of tokens', () => {
  expect(parametersOf(description)).toEqual({
    parameters: multiplying,
    parametersAll: multiplying + 4096 * 64 + 5 * 64,
  })
})

test('a model whose output layer is its table of tokens multiplies by that', () => {
  const parameters = [
    { name: 'transformer.wte.weight', shape: [100, 8] },
    { name: 'transformer.wpe.weight', shape: [32, 8] },
    { name: 'transformer.h.0.attn.c_attn.weight', shape: [8, 24] },
    { name: 'transformer.h.0.ln_1.weight', shape: [8] },
  ]
  expect(parametersOf({ parameters })).toEqual({ parameters: 800 + 192, parametersAll: 800 + 256 + 192 + 8 })
})

test('rewards cost a forward and a backward pass and their projection, a probe a step and a pass over the reference', () => {
  const model = { description, device: 'cpu' } as const
  const sequence = { ids: new Int32Array(100), mask: new Float32Array(100) }
  const gradient = influenceCost(model, 'gradient', [sequence, sequence])
  const { kIn, kOut, modules } = description.projection
  const projected = modules.reduce((sum, { inSize, outSize }) => sum + inSize * kIn + outSize * kOut + kIn * kOut, 0)
  expect(flopsOf(gradient.documents, { tokens: 50, documents: 1 })).toBe(50 * (6 * multiplying + 2 * projected))
  expect(gradient.reference).toMatchObject({ sequences: 2, tokens: 200, factor: 6 })
  const probe = influenceCost(model, 'probe', [sequence, sequence])
  expect(probe.purpose).toBe('probes')
  expect(flopsOf(probe.documents, { tokens: 50, documents: 1 })).toBe(6 * multiplying * 50 + 2 * multiplying * 200)
  expect(modelCost(model, 2)).toMatchObject({ model: 'llama-64x2', device: 'cpu', factor: 2 })
})
