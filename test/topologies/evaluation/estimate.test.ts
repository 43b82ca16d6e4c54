import { describe, expect, test } from 'vitest'
import { asDocumentId } from '../../../schemas/index.ts'
import { differenceOf, intervalOf, type Policy, replicatesOf } from '../../../topologies/evaluation/estimate.ts'
import { evaluationSample } from '../../../topologies/evaluation/sample.ts'
import { Uniforms } from '../../../topologies/fits/uniforms.ts'
import { seedOf } from '../../../topologies/selection/u64.ts'
import { drawn, groupsOf, plantedCorpus, poolsOf } from './planted.ts'

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

describe('weights of evenly sampled rewards', () => {
  test('are one over the expected number of answers of a document', () => {
    // Actor 0: 4 documents of subcategory 0, 2 of 1; actor 1: 3 and 3.
    const cells = [
      [0, 0],
      [0, 0],
      [0, 1],
      [0, 1],
      [1, 0],
      [1, 1],
    ]
    const described = new Map(
      cells.map((labels, i) => [asDocumentId(BigInt(i)), { labels, reads: 0, tokens: 1, scores: [] }]),
    )
    const groups = [
      [0, 0, 2],
      [0, 1, 2],
      [1, 0, 1],
      [1, 1, 1],
    ].map(([a, b, documents]) => ({
      ...{ labels: [a!, b!], reads: 0, documents: documents!, tokens: documents! },
    }))
    const answer = (actor: number, id: number) => ({ actor, docId: asDocumentId(BigInt(id)), reward: id })
    const sample = evaluationSample(2, groups, [answer(1, 0), answer(0, 4), answer(0, 0)], described)
    // Document 0: 1 of 4 (actor 0) and 1 of 3 (actor 1); document 4: 1 of 2 and 1 of 3.
    expect([...sample.weights]).toEqual([1 / (1 / 4 + 1 / 3), 1 / (1 / 2 + 1 / 3), 1 / (1 / 4 + 1 / 3)])
    expect([...sample.rewards]).toEqual([0, 4, 0])
    expect(sample.strata).toEqual([
      { first: 0, count: 1, held: 4 },
      { first: 1, count: 1, held: 2 },
      { first: 2, count: 1, held: 3 },
    ])
  })

  test('of a corpus that was sampled whole give its exact means, with intervals of no width', () => {
    const corpus = plantedCorpus(500)
    const groups = groupsOf(corpus)
    const described = new Map(corpus.map((document) => [document.docId, document]))
    const answers = drawn(poolsOf(corpus, 3), 500, new Uniforms(seedOf(2, 0, 'validate')))
    const sample = evaluationSample(3, groups, answers, described)
    const shares = Float64Array.from(groups, ({ labels }) => (labels[0] === 1 ? 1 : 0))
    const policies: Policy[] = [
      { name: 'corpus', taken: { byGroup: new Float64Array(groups.length).fill(1) } },
      { name: 'some', taken: { byGroup: shares } },
      { name: 'best', taken: { best: 0.1 } },
    ]
    const found = replicatesOf(sample, policies, seedOf(3, 0, 'bootstrap'), 20).map((one) => intervalOf(one)!)
    const rewards = corpus.map(({ reward }) => reward)
    const truth = [
      mean(rewards),
      mean(corpus.filter(({ labels }) => labels[0] === 1).map(({ reward }) => reward)),
      mean(rewards.sort((a, b) => b - a).slice(0, 50)),
    ]
    for (const [i, { mean: estimate, low, high }] of found.entries()) {
      expect(estimate).toBeCloseTo(truth[i]!, 12)
      expect(high - low).toBeLessThan(1e-12)
    }
  })
})

describe('intervals on planted rewards', () => {
  test('hold the truth in 95% of 1,000 seeds, within noise', { timeout: 120_000 }, () => {
    const corpus = plantedCorpus(4000)
    const pools = poolsOf(corpus, 3)
    const groups = groupsOf(corpus)
    const described = new Map(corpus.map((document) => [document.docId, document]))
    // What a selection by cells takes: some cells whole, one in part.
    const shareOf = ([a, b]: readonly number[]) => (a === 1 && b === 0 ? 1 : a === 2 && b! <= 1 ? 0.5 : 0)
    const shares = Float64Array.from(groups, ({ labels }) => shareOf(labels))
    const policies: Policy[] = [
      { name: 'corpus', taken: { byGroup: new Float64Array(groups.length).fill(1) } },
      { name: 'selection', taken: { byGroup: shares } },
    ]
    const ofCorpus = mean(corpus.map(({ reward }) => reward))
    const taken = corpus.reduce((sum, { labels }) => sum + shareOf(labels), 0)
    const ofSelection = corpus.reduce((sum, { labels, reward }) => sum + shareOf(labels) * reward, 0) / taken
    const truth = { corpus: ofCorpus, selection: ofSelection, gain: ofSelection - ofCorpus }
    const covered = { corpus: 0, selection: 0, gain: 0 }
    const errors = { corpus: 0, selection: 0, gain: 0 }
    const seeds = 1000
    for (let seed = 0; seed < seeds; seed++) {
      const answers = drawn(pools, 20, new Uniforms(seedOf(seed, 1, 'validate')))
      const sample = evaluationSample(3, groups, answers, described)
      const [a, b] = replicatesOf(sample, policies, seedOf(seed, 1, 'bootstrap'), 200)
      const found = { corpus: intervalOf(a!)!, selection: intervalOf(b!)!, gain: intervalOf(differenceOf(b!, a!))! }
      for (const name of ['corpus', 'selection', 'gain'] as const) {
        const { low, high, mean: estimate } = found[name]
        if (low <= truth[name] && truth[name] <= high) covered[name]++
        errors[name] += (estimate - truth[name]) / seeds
      }
    }
    // Of 1,000 draws with probability 0.95 the standard deviation is 6.9; the bootstrap itself is good for a percent.
    for (const count of Object.values(covered)) {
      expect(count).toBeGreaterThanOrEqual(925)
      expect(count).toBeLessThanOrEqual(975)
    }
    // The estimates are unbiased: far below the width of an interval.
    for (const error of Object.values(errors)) expect(Math.abs(error)).toBeLessThan(0.005)
  })
})
