import { describe, expect, test } from 'vitest'
import { asDocumentId } from '../../../schemas/index.ts'
import { chanceSpearman, isNoise } from '../../../topologies/mates/noise.ts'
import { inputsDigest, joinProbes, type Probe, probesOf } from '../../../topologies/mates/probes.ts'

const sampleOf = (...given: [id: bigint, reward: number, weight: number][]) => ({
  docIds: given.map(([id]) => asDocumentId(id)),
  rewards: Float64Array.from(given, ([, reward]) => reward),
  weights: Float64Array.from(given, ([, , weight]) => weight),
})
const lossesOf = (probes: readonly Probe[] | null) => probes!.map(({ docId, loss }) => [docId, loss])

describe('the probes of a round', () => {
  test('are standardized rewards with the other sign: who helped most has the lowest loss', () => {
    // Mean 2, population deviation 2.
    const probes = probesOf(sampleOf([3n, 4, 1], [1n, 0, 1], [2n, 4, 1], [4n, 0, 1]))
    expect(lossesOf(probes)).toEqual([
      [1n, 1],
      [2n, -1],
      [3n, -1],
      [4n, 1],
    ])
    expect(probes!.map(({ weight }) => weight)).toEqual([1, 1, 1, 1])
  })

  test('are standardized over the corpus: a document counts for as many as it stands for', () => {
    // Of 4 documents, 3 as the first: mean 1, variance (3 * 1 + 9) / 4 = 3.
    const probes = probesOf(sampleOf([1n, 0, 30], [2n, 4, 10]))!
    expect(probes[0]!.loss).toBeCloseTo(1 / Math.sqrt(3), 15)
    expect(probes[1]!.loss).toBeCloseTo(-3 / Math.sqrt(3), 15)
    expect(probes.map(({ weight }) => weight)).toEqual([1.5, 0.5])
  })

  test('have a document that two actors drew once, with both weights and the mean of its rewards', () => {
    const twice = probesOf(sampleOf([1n, 3, 10], [2n, 0, 20], [1n, 3, 10]))!
    expect(twice).toEqual(probesOf(sampleOf([1n, 3, 20], [2n, 0, 20])))
    expect(probesOf(sampleOf([1n, 2, 10], [2n, 0, 20], [1n, 4, 10]))).toEqual(twice)
  })

  test.each([
    [[]],
    [[[1n, 2, 1]]],
    [
      [
        [1n, 0.1, 1],
        [2n, 0.1, 2],
        [3n, 0.1, 1],
      ],
    ],
    [
      [
        [1n, 1e-300, 1],
        [2n, 1e-300, 2],
      ],
    ],
  ] as [[bigint, number, number][]][])('are none where rewards do not vary: case %#', (given) => {
    expect(probesOf(sampleOf(...given))).toBeNull()
  })

  test('of several rounds are one set: a document of two has the mean of its losses and both weights', () => {
    const probe = (id: bigint, loss: number, weight: number): Probe => ({ docId: asDocumentId(id), loss, weight })
    expect(joinProbes([[probe(2n, 1, 1)], [probe(1n, 0, 2), probe(2n, -1, 3)]])).toEqual([
      probe(1n, 0, 2),
      probe(2n, -0.5, 4),
    ])
  })

  test('have a digest that any bit of them changes', () => {
    const inputs = {
      run: 'a',
      rounds: [{ round: 1, checkpoint: 'c' }],
      probes: probesOf(sampleOf([1n, 0, 1], [2n, 1, 1]))!,
    }
    const digest = inputsDigest({ ...inputs, settings: '{}' })
    expect(digest).toMatch(/^[0-9a-f]{64}$/)
    const [first, second] = inputs.probes as [Probe, Probe]
    const others = [
      { ...inputs, settings: '{"seed":"1"}' },
      { ...inputs, settings: '{}', rounds: [{ round: 2, checkpoint: 'c' }] },
      { ...inputs, settings: '{}', probes: [{ ...first, loss: first.loss * (1 + Number.EPSILON) }, second] },
      { ...inputs, settings: '{}', probes: [{ ...first, docId: asDocumentId(3n) }, second] },
    ]
    expect(new Set([digest, ...others.map(inputsDigest)]).size).toBe(5)
  })
})

test('noise is what a Spearman correlation without a connection exceeds once in twenty times', () => {
  expect(chanceSpearman(101)).toBeCloseTo(0.1645, 4)
  expect(isNoise(0.16, 101)).toBe(true)
  expect(isNoise(0.17, 101)).toBe(false)
  expect(isNoise(-0.5, 101)).toBe(true)
  expect(isNoise(null, 101)).toBe(true)
  // 2,000 pairs of permutations: between 3.5% and 6.5% exceed it.
  let state = 1
  const next = () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647
  }
  const rank = (n: number) => {
    const keys = Array.from({ length: n }, next)
    return keys.map((key) => keys.filter((other) => other < key).length)
  }
  const n = 40
  const exceeded = Array.from({ length: 2000 }, () => {
    const [a, b] = [rank(n), rank(n)]
    const squares = a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0)
    return !isNoise(1 - (6 * squares) / (n * (n * n - 1)), n)
  }).filter(Boolean).length
  expect(exceeded / 2000).toBeGreaterThan(0.035)
  expect(exceeded / 2000).toBeLessThan(0.065)
})
