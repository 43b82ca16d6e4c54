import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { campaignTopic, type ProxyResult, topics, type Work } from '../../../schemas/index.ts'
import { campaignNamed, fitsOf, readCampaigns } from '../../../services/campaigns/recorded.ts'
import { corpusOf, trainProxy } from '../../../services/campaigns/train-proxy.ts'
import { parametersOf } from '../../../services/model/cost.ts'
import { readDescription } from '../../../services/model/description.ts'
import { openModel } from '../../../services/model/model.ts'
import { graphsFolder } from '../../../services/model/shipped.ts'
import { readTopic } from '../../../services/runs/recorded.ts'
import { completeRun, readRunFile } from '../../../services/runs/run-file.ts'
import { type Failpoint, listenAtFailpoints } from '../../../services/runtime/failpoints.ts'
import { blocksFor } from '../../support/documents.ts'
import { campaignWorld } from './world.ts'

const [batch, context, steps] = [2, 16, 8]
const sizes = ['shipped:llama-32x2', 'shipped:llama-48x2']
const texts = [
  (n: number) => `The ship ${n} sailed over the sea, and the sea was calm.`,
  (n: number) => `Section ${n}: the court may by order so direct.`,
  (n: number) => `Take ${n} grams of flour, and stir the butter in.`,
]
const textOf = (n: number) => texts[n % 3]!(n)
const documented = blocksFor('services/campaigns/dmlaw').flatMap(({ text }) => text.trim().split('\n'))

/** The documented plan is for three sizes; two do for a test. */
async function world(trainer: object = {}) {
  const made = await campaignWorld(['sea', 'law', 'kitchen'], {}, { textOf, divisor: 3 })
  for (const [name, n] of [['reward', 100], ['corpus', 102]] as const) // biome-ignore format: a table
    made.file(`${name}.jsonl`, `${JSON.stringify({ text: textOf(n) })}\n`)
  const reference = { reward: 'reward.jsonl', evaluation: 'reward.jsonl', corpus: 'corpus.jsonl' }
  const schedule = { batch, context, learningRate: 5e-3, warmupSteps: 0, ...trainer }
  made.file('run.yaml', JSON.stringify({ ...made.run, reference, trainer: schedule }))
  const plan = (...more: string[]) =>
    made.winnow('proxies', 'plan', 'run.yaml', '--actor', 'parity', '--method', 'dmlaw', ...more)
  return { ...made, plan }
}

const small = ['--proxies', '8', '--steps', `${steps}`, '--points', '4', '--target-steps', '1000'] as const
const grid = [...small, '--models', sizes.join(','), '--target-parameters', '1e7'] as const

// Sixteen proxies, each with sessions of its own.
test('planned, run, fitted, listed, checked and applied as any campaign, with its work in the ledger', {
  timeout: 120_000,
}, async () => {
  const { plan, winnow, runtime, folder, versions } = await world()
  const [planning, ...rest] = documented
  // The documented command itself, for another actor and on a smaller scale.
  const words = planning!.replace('npx winnow ', '').replace('--actor domain', '--actor parity').split(' ')
  expect(await winnow(...words)).toMatchObject({
    code: 0,
    stdout: 'first-dmlaw\n',
    stderr: expect.stringContaining('20 mixtures, on each of 3 models, 200 steps each'),
  })
  expect(rest).toEqual(
    ['run first-dmlaw', 'fit first-dmlaw', 'apply first-dmlaw run.yaml'].map((one) => `npx winnow proxies ${one}`),
  )

  expect(await plan(...grid)).toMatchObject({ code: 0, stdout: 'mine-parity\n' })
  expect(await plan(...grid)).toMatchObject({ code: 0, stdout: 'mine-parity\n' })
  expect(await plan(...grid, '--target-steps', '2000')).toMatchObject({ code: 3 })
  expect(await winnow('proxies', 'fit', 'mine-parity')).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('has 0 mixtures trained on every model and a fit needs 8'),
  })
  expect(await winnow('proxies', 'run', 'mine-parity')).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('16 proxies are trained; next: npx winnow proxies fit mine-parity'),
  })
  const fitted = await winnow('proxies', 'fit', 'mine-parity', '--draws', '500')
  expect(fitted).toMatchObject({ code: 0, stdout: expect.stringContaining('at 10000000 parameters after 1000 steps') })
  expect(fitted.stdout).toContain('laws, of the largest model')
  expect(await winnow('proxies', 'fit', 'mine-parity', '--check')).toMatchObject({ code: 0, stdout: 'identical\n' })
  expect((await winnow('proxies', 'list')).stdout).toMatch(/mine-parity +parity +dmlaw +16 +16 +exponential, predicts/)
  expect((await winnow('proxies', 'apply', 'mine-parity')).code).toBe(0)
  const fits = fitsOf(await readCampaigns(runtime))
  const run = completeRun(readRunFile('run.yaml', folder), await versions(), fits)
  expect(run.selection.actors[0]!.initialWeights).toEqual(fits.get('mine-parity')!.weights)

  const results = (await readTopic(runtime, campaignTopic('mine-parity').name)).flatMap(({ record, value }) =>
    record === 'ProxyResult' ? [value as ProxyResult] : [],
  )
  for (const { loss, curve } of results) {
    expect(curve.map(({ step }) => step)).toEqual([3, 5, 6, 8])
    expect(curve.at(-1)!.loss).toBe(loss)
  }
  expect(existsSync(join(folder, 'k', 'mine-parity-proxy-0'))).toBe(false)
  // Each size has its own cost.
  const work = (await readTopic(runtime, topics.work.name)).map(({ value }) => value as Work)
  const costs = await Promise.all(sizes.map(async (one) => parametersOf(await readDescription(graphsFolder(one)))))
  expect(work).toHaveLength(16)
  for (const { first, flops, parametersAll, purpose } of work) {
    const { parameters, parametersAll: all } = costs[first % 2]!
    expect({ flops, parametersAll, purpose }).toEqual({
      ...{ flops: 6 * parameters * steps * batch * context, parametersAll: all, purpose: 'proxies' },
    })
  }
})

// Five trainings, each with sessions of its own.
test('a proxy that is killed, even when its checkpoint is written, has all of its curve when it is trained again', {
  timeout: 120_000,
}, async () => {
  const { plan, runtime, folder } = await world()
  expect((await plan(...grid)).code).toBe(0)
  const { plan: campaign } = await campaignNamed(runtime, 'mine-parity')
  await using model = await openModel({ graphs: sizes[1]! })
  const corpus = await runtime.store.view(corpusOf(campaign))
  const ports = { ...runtime, model, corpus, producer: await runtime.kafka.producer(), clock: () => 0 }
  const train = () => trainProxy(campaign, 1, ports, new AbortController().signal)
  const alone = await train()
  expect(alone.curve).toHaveLength(4)
  onTestFinished(() => listenAtFailpoints(() => {}))
  for (const [point, after] of [
    ['stepping', 5],
    ['checkpointed', 1],
  ] as const) {
    let left = after
    listenAtFailpoints((at: Failpoint) => {
      if (at === point && --left === 0) throw new Error('killed')
    })
    await expect(train()).rejects.toThrow('killed')
    listenAtFailpoints(() => {})
    const proxy = join(folder, 'k', 'mine-parity-proxy-1')
    expect(existsSync(proxy) && readdirSync(proxy).length === 1).toBe(point === 'checkpointed')
    expect(await train()).toEqual(alone)
  }
})

test('what cannot be a grid is refused, and nothing is planned', async () => {
  const { plan, runtime, folder } = await world()
  const refused = async (code: number, words: string, ...more: string[]) =>
    expect(await plan(...more)).toMatchObject({ code, stderr: expect.stringContaining(words) })
  await refused(2, 'dmlaw needs --target-steps', '--steps', '8')
  await refused(2, '--target-steps 4 is less than the 8 steps', '--steps', '8', '--target-steps', '4')
  await refused(2, '--points must be at least 4', ...small, '--points', '3')
  await refused(2, '20 losses cannot be measured', ...small, '--points', '20')
  await refused(2, 'one size says nothing of others', ...small, '--target-parameters', '1e9')
  await refused(2, '--target-parameters 5 is less than', ...small, '--target-parameters', '5')
  await refused(2, '--rate is no option of the method dmlaw', ...small, '--rate', '1')
  await refused(3, `both have`, ...small, '--models', `${sizes[0]},${graphsFolder(sizes[0]!)}`)
  await refused(3, 'no model llama-7b is shipped', ...small, '--models', 'shipped:llama-7b')
  const other = join(folder, 'other')
  cpSync(graphsFolder(sizes[1]!), other, { recursive: true })
  const tokenizer = join(other, 'tokenizer.json')
  writeFileSync(tokenizer, readFileSync(tokenizer, 'utf8').replace('"version"', ' "version"'))
  await refused(3, 'have different tokenizers', ...small, '--models', `${sizes[0]},${other}`)
  expect(await readCampaigns(runtime)).toEqual(new Map())
  const { winnow } = await campaignWorld(['even', 'odd', 'prime'])
  const empty = ['proxies', 'plan', 'run.yaml', '--actor', 'parity', '--method', 'dmlaw', '--steps', '100'] as const
  expect(await winnow(...empty, '--target-steps', '100')).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('prime of parity has no tokens'),
  })
})
