import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { type Campaign, type ProxyResult, topics, type Work } from '../../../schemas/index.ts'
import { fitsOfRun } from '../../../services/campaigns/fits-of-run.ts'
import { learnMixture } from '../../../services/campaigns/mixing/learn.ts'
import { campaignNamed, fitsOf, readCampaigns } from '../../../services/campaigns/recorded.ts'
import { corpusOf } from '../../../services/campaigns/train-proxy.ts'
import { parametersOf } from '../../../services/model/cost.ts'
import { type Model, openModel } from '../../../services/model/model.ts'
import { readTopic } from '../../../services/runs/recorded.ts'
import { completeRun, readRunFile } from '../../../services/runs/run-file.ts'
import { campaignWorld } from './world.ts'

let model: Model
beforeAll(async () => {
  model = await openModel({ graphs: 'shipped:llama-64x2' })
})
afterAll(() => model.close())

const steps = 6
const [batch, context] = [4, 16]

/** Documents are about the sea, the law, or the kitchen, by their remainder. */
const texts = [
  (n: number) => `The ship ${n} sailed over the sea, and the sea was calm.`,
  (n: number) => `Section ${n}: the court may by order so direct.`,
  (n: number) => `Take ${n} grams of flour, and stir the butter in.`,
]
const subcategories = ['sea', 'law', 'kitchen']
const textOf = (n: number) => texts[n % 3]!(n)

/** A campaign planned on the command line; the reference for rewards is about the law. */
async function planned(...options: string[]) {
  const world = await campaignWorld(subcategories, {}, { textOf, divisor: 3 })
  for (const [name, n] of [['reward', 100], ['evaluation', 103], ['corpus', 102]] as const) // biome-ignore format: a table
    world.file(`${name}.jsonl`, `${JSON.stringify({ text: textOf(n) })}\n`)
  const reference = { reward: 'reward.jsonl', evaluation: 'evaluation.jsonl', corpus: 'corpus.jsonl' }
  const trainer = { batch, context, learningRate: 5e-3, warmupSteps: 2 }
  world.file('run.yaml', JSON.stringify({ ...world.run, reference, trainer }))
  const plan = (...more: string[]) =>
    world.winnow('proxies', 'plan', 'run.yaml', '--actor', 'parity', '--steps', `${steps}`, ...more)
  expect(await plan(...options)).toMatchObject({ code: 0, stdout: 'mine-parity\n' })
  const { plan: campaign } = await campaignNamed(world.runtime, 'mine-parity')
  return { ...world, plan, campaign }
}
type World = Awaited<ReturnType<typeof planned>>

/** Learns as a worker does. @param untilShare abort once so much is trained */
async function learned({ runtime }: World, campaign: Campaign, untilShare = 2): Promise<ProxyResult> {
  const abort = new AbortController()
  const producer = await runtime.kafka.producer()
  const ports = {
    ...{ ...runtime, model, producer, clock: () => 0 },
    corpus: await runtime.store.view(corpusOf(campaign)),
    onShare: (share: number) => share >= untilShare && abort.abort(new Error('killed')),
  }
  return await learnMixture(campaign, ports as never, abort.signal)
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)

const doge = ['--method', 'doge', '--mu', '0.001'] as const
const methods = [
  ['doremi', ['--method', 'doremi']],
  ['doge, universal', doge],
  ['doge, out-of-domain', [...doge, '--variant', 'out-of-domain']],
] as const

// Each trains the small model five times.
describe.each(methods)('a mixture learned by %s', { timeout: 120_000 }, (_, options) => {
  test('killed after any step and gone on with, comes to the same to the bit', async () => {
    const world = await planned(...options)
    const { campaign } = world
    const alone = await learned(world, campaign)
    expect(alone.learned).toMatchObject({ updates: steps })
    expect(alone.learned!.course.at(-1)).toEqual(alone.shares)
    for (const weights of [alone.shares, alone.learned!.last, ...alone.learned!.course]) {
      expect(sum(weights)).toBeCloseTo(1, 12)
      for (const weight of weights) expect(weight).toBeGreaterThan(0)
    }
    expect(alone.loss).not.toBe(alone.corpusLoss)
    // Nothing is left of it, or the second would have nothing to do.
    const folder = join(world.folder, 'k')
    expect(existsSync(join(folder, 'mine-parity-proxy'))).toBe(false)
    for (const share of [0.1, 0.45, 0.8]) await expect(learned(world, campaign, share)).rejects.toThrow('killed')
    expect(existsSync(join(folder, 'mine-parity-proxy'))).toBe(true)
    expect(await learned(world, campaign)).toEqual(alone)

    // What an earlier campaign of that name has left is not gone on with.
    const other = { ...campaign, tokens: campaign.tokens.toReversed() }
    await expect(learned(world, other, 0.6)).rejects.toThrow('killed')
    expect(await learned(world, campaign)).toEqual(alone)
  })
})

test('planned, run, fitted, listed, checked and applied as any campaign, with its work in the ledger', async () => {
  const world = await planned('--method', 'doremi')
  const {
    winnow,
    runtime,
    campaign,
    folder,
    versions,
    file,
    read,
    run: { selection: own },
  } = world
  expect(campaign).toMatchObject({ method: 'doremi', mixtures: [[1624, 1667, 1709]] })
  expect(await winnow('proxies', 'fit', 'mine-parity')).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('campaign mine-parity has no result yet; nothing is recorded'),
  })
  expect(await winnow('proxies', 'run', 'mine-parity')).toMatchObject({
    code: 0,
    stderr: expect.stringContaining(
      'the reference and the proxy are trained; next: npx winnow proxies fit mine-parity',
    ),
  })
  const fitted = await winnow('proxies', 'fit', 'mine-parity')
  expect(fitted).toMatchObject({ code: 0, stdout: expect.stringContaining(`over ${steps} updates; the proxy reached`) })
  expect(fitted.stdout + fitted.stderr).not.toMatch(/orders|predict/)
  expect(await winnow('proxies', 'fit', 'mine-parity', '--draws', '5')).toMatchObject({ code: 2 })
  expect(await winnow('proxies', 'fit', 'mine-parity', '--check')).toMatchObject({ code: 0, stdout: 'identical\n' })
  expect((await winnow('proxies', 'list')).stdout).toMatch(/mine-parity +parity +doremi +1 +1 +doremi, reached \d/)

  const applied = await winnow('proxies', 'apply', 'mine-parity')
  expect(applied.code).toBe(0)
  expect(applied.stderr).not.toContain('orders')
  const fits = fitsOf(await readCampaigns(runtime))
  const run = completeRun(readRunFile('run.yaml', folder), await versions(), fits)
  const { weights, shares } = fits.get('mine-parity')!
  expect(run.selection.actors[0]!.initialWeights).toEqual(weights)
  expect(shares).toEqual(await learned(world, campaign).then((again) => again.shares))
  expect(await fitsOfRun(runtime, run, true)).toMatchObject([{ campaign: 'mine-parity', same: true }])

  // Or as the fixed mixture of a strategy.
  const fixed = { strategy: { score: { kind: 'zero' }, mixture: { from: 'mine-parity' } } }
  file('fixed.yaml', JSON.stringify({ ...parse(read('run.yaml')), name: 'fixed', selection: { ...own, ...fixed } }))
  const mixed = completeRun(readRunFile('fixed.yaml', folder), await versions(), fits)
  expect(mixed.selection.strategy!.mixture).toEqual({ actor: 'parity', weights: shares })
  expect(await fitsOfRun(runtime, mixed, true)).toMatchObject([{ of: 'mixture', actor: 'parity', same: true }])
  expect(mixed.mixedBy).toEqual({ campaign: 'mine-parity', inputs: fits.get('mine-parity')!.inputs })
  expect(() => completeRun(readRunFile('fixed.yaml', folder), new Map([['parity', 'v1']]))).toThrow(
    'selection.strategy.mixture: there is no campaign mine-parity with a fit',
  )

  // Training of the reference model, 6 N T; then two forward passes and a step of the proxy, 10 N T.
  const work = (await readTopic(runtime, topics.work.name)).map(({ value }) => value as Work)
  const { parameters } = parametersOf(model.description)
  const tokens = steps * batch * context
  expect(work.map(({ flops }) => flops)).toEqual([6 * parameters * tokens, 10 * parameters * tokens])
  for (const one of work) expect(one).toMatchObject({ run: null, purpose: 'proxies', tokens })
})

test('DoGE out of domain favours the subcategory that is like the reference; its work is booked with its products', async () => {
  const world = await planned(...doge, '--variant', 'out-of-domain')
  expect((await world.winnow('proxies', 'run', 'mine-parity')).code).toBe(0)
  const fitted = await world.winnow('proxies', 'fit', 'mine-parity', '--json')
  const [sea, law, kitchen] = JSON.parse(fitted.stdout).shares
  expect(law).toBeGreaterThan(Math.max(sea, kitchen))
  const [work] = (await readTopic(world.runtime, topics.work.name)).map(({ value }) => value as Work)
  const { parameters, parametersAll } = parametersOf(model.description)
  // Two rows of each of three domains and a batch of the target; two products and a share of the step for each domain.
  const tokens = steps * (3 * 2 + batch) * context
  expect(work!.flops).toBe(6 * parameters * tokens + 3 * 3 * 2 * parametersAll * steps)
})

test('what a method does not know, or cannot be, is refused before anything is recorded', async () => {
  const { plan, runtime } = await planned()
  const refused = async (words: string, ...more: string[]) =>
    expect(await plan('--name', 'no', ...more)).toMatchObject({ code: 2, stderr: expect.stringContaining(words) })
  await refused('--rate is no option of the method regmix', '--rate', '1')
  await refused('--mu is no option of the method doremi', '--method', 'doremi', '--mu', '1')
  await refused('--rate: must be above 0', '--method', 'doremi', '--rate', '0')
  await refused('--rate: must be a number', '--method', 'doremi', '--rate', 'fast')
  await refused('--smoothing: must be below 1', '--method', 'doge', '--smoothing', '1')
  await refused('leave --proxies out', '--method', 'doge', '--proxies', '3')
  expect([...(await readCampaigns(runtime)).keys()]).toEqual(['mine-parity'])
  // A campaign is never changed, by another method or other options neither.
  for (const more of [
    ['--method', 'doremi'],
    ['--method', 'doge'],
  ])
    expect(await plan(...more)).toMatchObject({ code: 3, stderr: expect.stringContaining('exists with another plan') })
  expect((await plan('--name', 'one', '--method', 'doge')).code).toBe(0)
  expect((await plan('--name', 'one', '--method', 'doge')).code).toBe(0)
  expect((await plan('--name', 'one', '--method', 'doge', '--mu', '1')).code).toBe(3)
})

test('where there is nothing to mix, or DoGE cannot tell, that is said with exit code 5, and nothing is planned', async () => {
  const two = await campaignWorld(['even', 'odd', 'prime'])
  const plan = (world: Pick<World, 'winnow'>, ...more: string[]) =>
    world.winnow('proxies', 'plan', 'run.yaml', '--actor', 'parity', '--without-empty', '--method', ...more)
  expect(await two.winnow('proxies', 'plan', 'run.yaml', '--actor', 'parity', '--method', 'doremi')).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('prime of parity has no tokens'),
  })
  // Of two, each has the same product with the other.
  expect(await plan(two, 'doge')).toMatchObject({ code: 5, stderr: expect.stringContaining('--variant out-of-domain') })
  expect((await readCampaigns(two.runtime)).size).toBe(0)
  expect((await plan(two, 'doge', '--variant', 'out-of-domain')).code).toBe(0)
  const mixtures = async () => (await readCampaigns(two.runtime)).get('doremi')?.plan.mixtures
  expect((await plan(two, 'doremi', '--name', 'doremi')).code).toBe(0)
  expect(await mixtures()).toEqual([[2468, 2532, 0]])

  const one = await campaignWorld(['all', 'none'], {}, { divisor: 1 })
  expect(await plan(one, 'doremi')).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('there is nothing to mix'),
  })
})
