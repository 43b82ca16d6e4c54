import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { demoGraphs } from '../../../deploy/demo/model.ts'
import { readDescription } from '../../../services/model/description.ts'
import { projectedSize, projections } from '../../../services/model/projection.ts'
import { randomWords } from '../../../services/model/random.ts'
import { initialWeights } from '../../../services/model/weights.ts'
import { splitmix64 } from '../../../topologies/selection/u64.ts'
import { golden } from './support.ts'

const description = await readDescription(demoGraphs)

function digest(tensors: Map<string, { data: Float32Array }>): string {
  const hash = createHash('sha256')
  for (const [name, { data }] of tensors)
    hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  return hash.digest('hex')
}

describe('random numbers of a model', () => {
  it('are splitmix64 of the index and the seed of their purpose', () => {
    const start = createHash('sha256').update('7:0:weights:a').digest().readBigUInt64LE(0)
    const words = randomWords('7', 'weights:a', 5)
    for (let i = 0; i < 5; i++) {
      expect(BigInt(words[2 * i]!) | (BigInt(words[2 * i + 1]!) << 32n)).toBe(splitmix64(BigInt(i) ^ start))
    }
  })
})

describe('initial weights', () => {
  const weights = initialWeights(description, golden.seed)

  it('have not changed for a given seed', () => {
    expect(digest(weights)).toBe('ad89cf4a0956e4320382ba73aa6254aa074a18c7831bd3ecc316e74967b15462')
    expect(digest(initialWeights(description, '8'))).not.toBe(digest(weights))
  })

  it('agree with the second implementation in Python', () => {
    const { name, first, last, sum } = golden.initial
    const { data } = weights.get(name)!
    for (const [i, value] of first.entries()) expect(data[i]).toBeCloseTo(value, 9)
    for (const [i, value] of last.entries()) expect(data[data.length - last.length + i]).toBeCloseTo(value, 9)
    expect(data.reduce((total, value) => total + value, 0)).toBeCloseTo(sum, 6)
  })

  it('are normal with deviation 0.02 in matrices and ones in norms', () => {
    const { data } = weights.get('model.embed_tokens.weight')!
    const mean = data.reduce((sum, value) => sum + value, 0) / data.length
    const deviation = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length)
    // Four standard errors of a sample of 262,144.
    expect(Math.abs(mean)).toBeLessThan((4 * 0.02) / 512)
    expect(Math.abs(deviation / 0.02 - 1)).toBeLessThan(4 / Math.sqrt(2 * data.length))
    const within = data.filter((value) => Math.abs(value) < 0.02).length / data.length
    expect(within).toBeCloseTo(0.6827, 2)
    expect(new Set(weights.get('model.norm.weight')!.data)).toEqual(new Set([1]))
  })

  it('differ between parameters of the same shape', () => {
    const [q, k] = ['q', 'k'].map((part) => weights.get(`model.layers.0.self_attn.${part}_proj.weight`)!.data)
    expect(q).not.toEqual(k)
  })
})

describe('projections', () => {
  const matrices = projections(description, golden.projectionSeed)

  it('have not changed for a given seed', () => {
    expect(digest(matrices)).toBe('f5c40d7766a7bc67f3beaa2851428c45def9bab85550c14170b8a629f1bc6112')
  })

  it('are fair signs divided by the root of k, two for every module', () => {
    expect(matrices.size).toBe(2 * 14)
    expect(projectedSize(description)).toBe(14 * 256)
    const { shape, data } = matrices.get('P_out.model.layers.1.mlp.gate_proj')!
    expect(shape).toEqual([160, 16])
    expect(new Set(data)).toEqual(new Set([0.25, -0.25]))
    const sum = data.reduce((total, value) => total + 4 * value, 0)
    expect(Math.abs(sum)).toBeLessThan(4 * Math.sqrt(data.length))
  })
})
