import { describe, expect, test } from 'vitest'
import type { Campaign, CampaignFit, ProxyResult } from '../../schemas/index.ts'
import { proxyRun, sharedByProxies } from '../../topologies/campaign/campaign.ts'
import { conclude } from '../../topologies/campaign/conclude.ts'
import { cellOf, curveSteps, proxiesOf } from '../../topologies/campaign/grid.ts'
import { type Extrapolated, extrapolate } from '../../topologies/campaign/nested.ts'
import { refitDifference } from '../../topologies/campaign/refit.ts'
import { runConfigJson } from '../../topologies/run-config.ts'
import { testRun } from '../support/run.ts'
import { planted } from './fits/planted.ts'

const target = { parameters: 1e9, steps: 100_000 }
const sizes = [1e6, 3e6, 1e7]
const mixtures = 12
const table = planted(mixtures, 3, () => 0, 'grid')
const sharesOf = (mixture: number) => table.features.map((column) => column[mixture]!)

function planOf(parameters = sizes): Campaign {
  const run = sharedByProxies(testRun('base', { actors: { topic: ['a', 'b', 'c'] } }), 'camp', 900)
  return {
    ...{ campaign: 'camp', actor: 'topic', config: runConfigJson(run), tokens: [100, 100, 100] },
    ...{ mixtures: Array.from({ length: mixtures }, () => [1, 2, 4997]), labelOffsets: [], recordedMs: 0 },
    ...{ method: 'dmlaw', models: parameters.map((size) => ({ model: `/${size}`, parameters: size })), target },
    options: JSON.stringify({ method: 'dmlaw', points: 6 }),
  }
}

type Law = (shares: readonly number[], parameters: number, steps: number) => number

/** What proxies reach where the loss is known. */
const resultsBy = (plan: Campaign, law: Law): ProxyResult[] =>
  Array.from({ length: proxiesOf(plan) }, (_, proxy) => {
    const { mixture, size } = cellOf(plan, proxy)
    const shares = sharesOf(mixture)
    const curve = curveSteps(900, 10, 6).map((step) => ({
      step,
      loss: law(shares, plan.models[size]!.parameters, step),
    }))
    const loss = curve.at(-1)!.loss
    return { campaign: 'camp', proxy, shares, loss, corpusLoss: 0, seconds: 1, curve, learned: null }
  })

/** The floor is a law of mixtures; what training and size take away is the same for all. */
const floorOf = ([a, b, c]: readonly number[]) => 1.8 + Math.exp(-1.1 * a! + 0.3 * b! - 0.2 * c!)
const separable: Law = (shares, parameters, steps) => floorOf(shares) + 60 * parameters ** -0.3 + 25 * steps ** -0.5

/** Early, and small, more of `b` is better; the target gains most from `a`, of which models have to see much to learn it. */
const crossing: Law = ([a, b], parameters, steps) =>
  3 - 0.8 * a! + (1 + 2 * a! - 0.5 * b!) * (12 * steps ** -0.5 + 10 * parameters ** -0.3)

const search = { draws: 4000, mean: 16 }
const options = { kind: null, search, scale: 'share' as const }
const concluded = (plan: Campaign, results: readonly ProxyResult[], given: Parameters<typeof conclude>[2] = options) =>
  conclude(plan, results, given) as CampaignFit

describe('data mixing laws over a grid of sizes and steps', () => {
  test('planted laws are found again: the loss of each mixture at the target, the law of mixtures and the best one', () => {
    const plan = planOf()
    const fit = concluded(plan, resultsBy(plan, separable))
    expect(fit).toMatchObject({ kind: 'exponential', heldOut: [{ spearman: 1 }, { kind: 'laws', spearman: 1 }] })
    fit.extrapolated.forEach((loss, mixture) => {
      expect(loss).toBeCloseTo(separable(sharesOf(mixture), target.parameters, target.steps), 3)
    })
    // The law is lowest where a has all; the mean of the best draws is near it.
    expect(fit.shares[0]).toBeGreaterThan(0.9)
    expect(fit.loss).toBeCloseTo(separable(fit.shares, target.parameters, target.steps), 2)
    expect(fit.proxies).toHaveLength(36)
  })

  test('name the best mixture of the target where small models that trained briefly prefer another', () => {
    const plan = planOf()
    const results = resultsBy(plan, crossing)
    const fit = concluded(plan, results)
    expect(fit.shares.indexOf(Math.max(...fit.shares))).toBe(0)
    fit.extrapolated.forEach((loss, mixture) => {
      expect(loss).toBeCloseTo(crossing(sharesOf(mixture), target.parameters, target.steps), 3)
    })
    // The losses themselves say b.
    const small = results.filter(({ proxy }) => cellOf(plan, proxy).size === 0)
    const plain = { ...plan, method: 'regmix' as const, models: [], target: null, options: null }
    const last = concluded(plain, small, { ...options, kind: 'exponential' })
    expect(last.shares.indexOf(Math.max(...last.shares))).toBe(1)
  })

  test('extrapolate steps alone from one size, and two sizes without a floor', () => {
    const one = planOf([1e9])
    const alone = extrapolate(one, resultsBy(one, separable)) as Extrapolated
    alone.losses.forEach((loss, mixture) => {
      expect(loss).toBeCloseTo(separable(sharesOf(mixture), 1e9, target.steps), 3)
    })
    const power: Law = (shares, parameters, steps) => floorOf(shares) * parameters ** -0.1 + 5 * steps ** -0.5
    const two = planOf([1e6, 1e7])
    const found = extrapolate(two, resultsBy(two, power)) as Extrapolated
    // Of the tail of steps, which no law without a floor has, little is left at the target's steps.
    found.losses.forEach((loss, mixture) => {
      expect(loss).toBeCloseTo(floorOf(sharesOf(mixture)) * 1e9 ** -0.1, 1)
    })
  })

  test('come out again to the bit, in any order of results, and depend on every loss, the sizes and the target', () => {
    const plan = planOf()
    const results = resultsBy(plan, crossing)
    const linear = { ...options, kind: 'linear' as const }
    const fit = concluded(plan, results, linear)
    expect(concluded(plan, results.toReversed(), linear)).toEqual(fit)
    expect(refitDifference(plan, results, fit)).toBeUndefined()
    const changed = (one: ProxyResult) => ({ ...one, curve: one.curve.with(0, { step: 300, loss: 9 }) })
    const others = [
      concluded(plan, results.with(5, changed(results[5]!)), linear),
      concluded({ ...plan, target: { ...target, steps: 2e5 } }, results, linear),
      concluded({ ...plan, models: plan.models.with(0, { model: '/0', parameters: 9e5 }) }, results, linear),
    ]
    expect(new Set([fit, ...others].map(({ inputs }) => inputs)).size).toBe(4)
    expect(refitDifference(plan, results.with(5, changed(results[5]!)), fit)).toMatch(/^inputs: /)
  })

  test('use whole mixtures only, and lead to nothing, with a reason, from too few, short curves or losses that are all the same', () => {
    const plan = planOf()
    const results = resultsBy(plan, separable)
    expect(concluded(plan, results.slice(0, 29), { ...options, kind: 'linear' }).proxies).toEqual(
      Array.from({ length: 27 }, (_, at) => at),
    )
    expect(conclude(plan, results.slice(0, 23), options)).toEqual({ reason: 'few proxies', rows: 7, wanted: 8 })
    const short = results.with(4, { ...results[4]!, curve: results[4]!.curve.slice(0, 3) })
    expect(conclude(plan, short, options)).toEqual({ reason: 'few points', proxy: 4, points: 3, wanted: 4 })
    expect(
      conclude(
        plan,
        resultsBy(plan, () => 2),
        options,
      ),
    ).toEqual({ reason: 'no variance' })
    const bounds = [0.1, 0.1, 0.1]
    expect(conclude(plan, results, { ...options, kind: 'linear', search: { ...search, bounds } })).toEqual({
      reason: 'out of bounds',
    })
  })

  test('count laws that find no fall', () => {
    const plan = planOf()
    const rising: Law = (shares, _, steps) => floorOf(shares) + steps / 1000
    expect(extrapolate(plan, resultsBy(plan, separable))).toMatchObject({ flat: 0 })
    // Each size of each mixture, and each mixture over its sizes.
    expect(extrapolate(plan, resultsBy(plan, rising))).toMatchObject({ flat: 4 * mixtures })
  })
})

describe('a grid', () => {
  test('has all sizes of a mixture one after the other, each on its own model', () => {
    const plan = planOf()
    expect(proxiesOf(plan)).toBe(36)
    expect([0, 2, 3, 35].map((proxy) => cellOf(plan, proxy))).toEqual([
      { mixture: 0, size: 0 },
      { mixture: 0, size: 2 },
      { mixture: 1, size: 0 },
      { mixture: 11, size: 2 },
    ])
    expect(proxyRun(plan, 4)).toMatchObject({ name: 'camp-proxy-4', model: '/3000000', steps: 900 })
  })

  test('measures losses from a third on, after the warm-up, and at the end', () => {
    expect(curveSteps(900, 10, 5)).toEqual([300, 450, 600, 750, 900])
    expect(curveSteps(90, 50, 5)).toEqual([50, 60, 70, 80, 90])
    expect(curveSteps(6, 0, 8)).toEqual([2, 3, 4, 5, 6])
    expect(curveSteps(10, 20, 5)).toEqual([10])
  })
})
