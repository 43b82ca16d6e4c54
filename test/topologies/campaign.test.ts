import { describe, expect, test } from 'vitest'
import type { Campaign, ProxyResult } from '../../schemas/index.ts'
import { proxyRun, sharedByProxies } from '../../topologies/campaign/campaign.ts'
import { conclude } from '../../topologies/campaign/conclude.ts'
import { CampaignProgress } from '../../topologies/campaign/progress.ts'
import { weightsOf } from '../../topologies/campaign/weights.ts'
import { runConfigJson } from '../../topologies/run-config.ts'
import { testRun } from '../support/run.ts'
import { planted, uniformsOf } from './fits/planted.ts'

const result = (proxy: number, loss = proxy, shares = [0.5, 0.5]): ProxyResult => ({
  ...{ campaign: 'c', proxy, shares, loss, corpusLoss: 0, seconds: 1, curve: [], learned: null },
})

describe('who trains which proxy', () => {
  const [mine, other] = [1n, 2n]

  test('the first claim in the log holds; the next free proxy is the first that nobody claims', () => {
    const progress = new CampaignProgress(3, 100)
    expect(progress.next(0)).toBe(0)
    progress.claimed({ proxy: 0, worker: other }, 0)
    progress.claimed({ proxy: 0, worker: mine }, 1)
    expect([progress.holds(0, mine), progress.holds(0, other)]).toEqual([false, true])
    expect(progress.next(1)).toBe(1)
    expect(progress.training(1)).toBe(1)
  })

  test('a claim lapses that is not repeated, and then another takes it over', () => {
    const progress = new CampaignProgress(1, 100)
    progress.claimed({ proxy: 0, worker: other }, 0)
    progress.claimed({ proxy: 0, worker: other }, 90)
    expect(progress.next(150)).toBeUndefined()
    progress.claimed({ proxy: 0, worker: mine }, 150)
    expect(progress.holds(0, mine)).toBe(false)
    expect(progress.next(190)).toBe(0)
    progress.claimed({ proxy: 0, worker: mine }, 190)
    expect(progress.holds(0, mine)).toBe(true)
  })

  test('the first result of a proxy counts; a campaign is done when every proxy has one', () => {
    const progress = new CampaignProgress(2, 100)
    progress.finished(result(1, 5))
    progress.finished(result(1, 6))
    progress.finished(result(2, 7))
    expect([...progress.results]).toEqual([[1, result(1, 5)]])
    expect([progress.done, progress.next(0)]).toEqual([false, 0])
    progress.finished(result(0))
    expect(progress.done).toBe(true)
    expect(progress.training(0)).toBe(0)
  })
})

describe('a proxy', () => {
  const run = testRun('base', {
    actors: { quality: ['low', 'high'], topic: ['a', 'b', 'c'] },
    selection: { strategy: { pool: [{ tokensMin: 20 }] }, repetitionDecay: 0.5, repeat: 'exclude' },
    reference: { reward: 'r', moreRewards: ['r2'], other: 'o', evaluation: 'e', corpus: 'c' },
  })
  const shared = sharedByProxies(run, 'camp', 7)
  const campaign = {
    campaign: 'camp',
    actor: 'topic',
    config: runConfigJson(shared),
    mixtures: [[0, 1, 4999]],
    ...{ tokens: [], labelOffsets: [], recordedMs: 0 },
    ...{ method: 'regmix' as const, models: [], target: null, options: null },
  }

  test('is the run without rewards, in one round, with its mixture, judged on the reference for rewards', () => {
    const proxy = proxyRun(campaign, 0)
    expect(proxy).toMatchObject({
      name: 'camp-proxy-0',
      steps: 7,
      updateSteps: 7,
      sampleDocuments: 0,
      reference: { reward: 'r', evaluation: 'r', corpus: 'c' },
      selection: {
        budget: { tokens: 7 * 8 * 128 },
        repeat: 'allow',
        repetitionDecay: 0,
        strategy: {
          pool: [{ tokensMin: 20 }],
          score: { kind: 'zero' },
          mixture: { actor: 'topic', weights: [0, 1, 4999] },
          sampler: { kind: 'top' },
        },
      },
    })
    expect(proxy.reference).not.toHaveProperty('moreRewards')
    expect(proxy.reference).not.toHaveProperty('other')
  })
})

describe('the conclusion of a campaign', () => {
  const run = sharedByProxies(testRun('base', { actors: { topic: ['a', 'b', 'c'] } }), 'camp', 7)
  const tokens = [100, 100, 100]
  const plan: Campaign = {
    ...{ campaign: 'camp', actor: 'topic', config: runConfigJson(run), tokens },
    ...{ mixtures: [], labelOffsets: [], recordedMs: 0 },
    ...{ method: 'regmix', models: [], target: null, options: null },
  }
  const table = planted(24, 3, ([a, b]) => 3 - a! + 0.2 * b!)
  const results = Array.from({ length: 24 }, (_, row) =>
    result(
      row,
      table.target[row],
      table.features.map((column) => column[row]!),
    ),
  )
  const options = { kind: 'linear' as const, search: { draws: 2000, mean: 16 }, scale: 'share' as const }

  test('favours what lowers the loss, whatever order the results come in', () => {
    const found = conclude(plan, results, options)
    expect(found).toMatchObject({ campaign: 'camp', draws: 2000, mean: 16, bounds: null })
    expect((found as { shares: number[] }).shares[0]).toBeGreaterThan(0.9)
    expect(conclude(plan, results.toReversed(), options)).toEqual(found)
  })

  test('depends on the plan and on every result', () => {
    const inputs = (one: Campaign, some: ProxyResult[]) => (conclude(one, some, options) as { inputs: string }).inputs
    const before = inputs(plan, results)
    expect(inputs({ ...plan, tokens: [100, 100, 101] }, results)).not.toBe(before)
    expect(inputs(plan, results.with(3, { ...results[3]!, loss: 9 }))).not.toBe(before)
    expect(inputs(plan, results.with(3, { ...results[3]!, seconds: 9 }))).toBe(before)
  })

  test('is none, with a reason', () => {
    expect(conclude(plan, results.slice(0, 5), options)).toEqual({ reason: 'few proxies', rows: 5, wanted: 8 })
    expect(conclude({ ...plan, tokens: [0, 0, 0] }, results, options)).toEqual({ reason: 'no tokens' })
    expect(
      conclude(
        plan,
        results.map((one) => ({ ...one, loss: 1 })),
        options,
      ),
    ).toEqual({ reason: 'no variance' })
    const search = { draws: 50, mean: 1, bounds: [0.1, 0.1, 0.1] }
    expect(conclude(plan, results, { ...options, search })).toEqual({ reason: 'out of bounds' })
  })
})

describe('initial weights', () => {
  test('as shares are the shares', () => {
    expect(weightsOf([0.2, 0.8], [1, 1], 'share')).toEqual([0.2, 0.8])
  })

  test('as lifts have mean 0 and deviation 1 over the tokens of the corpus', () => {
    const tokens = [700, 200, 100, 0]
    const shares = uniformsOf('lift').dirichlet([1, 1, 1]).concat(0)
    const weights = weightsOf(shares, tokens, 'lift')
    const mean = weights.reduce((sum, weight, at) => sum + (tokens[at]! / 1000) * weight, 0)
    const variance = weights.reduce((sum, weight, at) => sum + (tokens[at]! / 1000) * (weight - mean) ** 2, 0)
    expect(mean).toBeCloseTo(0, 12)
    expect(variance).toBeCloseTo(1, 12)
    expect(weights[3]).toBe(0)
  })

  test('as lifts are 0 where the mixture is the corpus, and finite for what the mixture leaves out', () => {
    expect(weightsOf([0.7, 0.3], [70, 30], 'lift')).toEqual([0, 0])
    expect(weightsOf([1, 0], [50, 50], 'lift').every(Number.isFinite)).toBe(true)
  })
})
