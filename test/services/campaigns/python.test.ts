import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Campaign, ProxyResult } from '../../../schemas/index.ts'
import { learnMixture } from '../../../services/campaigns/mixing/learn.ts'
import { learnByPython } from '../../../services/campaigns/mixing/python.ts'
import { campaignNamed } from '../../../services/campaigns/recorded.ts'
import { corpusOf } from '../../../services/campaigns/train-proxy.ts'
import { type Model, openModel } from '../../../services/model/model.ts'
import { pythonWith } from '../../support/python.ts'
import { campaignWorld } from './world.ts'

const { python, missing } = pythonWith('services/trainer/python', ['torch', 'transformers', 'tokenizers'])

let model: Model
beforeAll(async () => {
  model = await openModel({ graphs: 'shipped:llama-64x2' })
})
afterAll(() => model.close())

/** The reference for rewards is about the law. */
const texts = [
  (n: number) => `The ship ${n} sailed over the sea, and the sea was calm.`,
  (n: number) => `Section ${n}: the court may by order so direct.`,
  (n: number) => `Take ${n} grams of flour, and stir the butter in.`,
]
const textOf = (n: number) => texts[n % 3]!(n)

async function planned(...options: string[]) {
  const world = await campaignWorld(['sea', 'law', 'kitchen'], {}, { textOf, divisor: 3 })
  for (const [name, n] of [['reward', 100], ['corpus', 102]] as const) // biome-ignore format: a table
    world.file(`${name}.jsonl`, `${JSON.stringify({ text: textOf(n) })}\n`)
  const reference = { reward: 'reward.jsonl', evaluation: 'reward.jsonl', corpus: 'corpus.jsonl' }
  const trainer = { batch: 4, context: 16, learningRate: 5e-3, warmupSteps: 2 }
  world.file('run.yaml', JSON.stringify({ ...world.run, reference, trainer }))
  const plan = ['proxies', 'plan', 'run.yaml', '--actor', 'parity', '--steps', '6', ...options]
  expect(await world.winnow(...plan)).toMatchObject({ code: 0 })
  expect(await world.winnow(...plan, '--name', 'torch', '--trainer', 'python')).toMatchObject({ code: 0 })
  const campaign = (await campaignNamed(world.runtime, 'torch')).plan
  expect(JSON.parse(campaign.options!)).toMatchObject({ trainer: 'python' })
  return { ...world, campaign }
}

type World = Awaited<ReturnType<typeof planned>>

/** @param untilShare abort once so much is trained */
async function learned({ runtime }: World, campaign: Campaign, by?: string, untilShare = 2): Promise<ProxyResult> {
  const abort = new AbortController()
  const ports = {
    ...{ ...runtime, model, producer: await runtime.kafka.producer(), clock: () => 0 },
    corpus: await runtime.store.view(corpusOf(campaign)),
    onShare: (share: number) => share >= untilShare && abort.abort(new Error('killed')),
  }
  return by === undefined
    ? await learnMixture(campaign, ports as never, abort.signal)
    : await learnByPython(campaign, ports as never, by, abort.signal)
}

const suite = `a campaign that PyTorch trains${missing === undefined ? '' : ` (${missing})`}`
describe.skipIf(missing !== undefined)(suite, () => {
  const close = (theirs: readonly number[], ours: readonly number[]) =>
    theirs.forEach((weight, d) => {
      expect(weight).toBeCloseTo(ours[d]!, 4)
    })
  const compared = (theirs: ProxyResult, ours: ProxyResult) => {
    close(theirs.shares, ours.shares)
    close(theirs.learned!.last, ours.learned!.last)
    expect(theirs.learned!.course).toHaveLength(ours.learned!.course.length)
    close(theirs.learned!.course.flat(), ours.learned!.course.flat())
    expect(theirs.loss).toBeCloseTo(ours.loss, 2)
    expect(theirs.corpusLoss).toBeCloseTo(ours.corpusLoss, 2)
  }

  // Starting PyTorch takes seconds, on a busy machine many.
  test('by DoReMi, killed in the proxy and gone on with, comes to what the reference trainer comes to', {
    timeout: 180_000,
  }, async () => {
    const world = await planned('--method', 'doremi')
    const { campaign, folder } = world
    await expect(learned(world, campaign, python, 0.6)).rejects.toThrow('killed')
    expect(existsSync(join(folder, 'k', 'torch-python', 'proxy.pt'))).toBe(true)
    const theirs = await learned(world, campaign, python)
    expect(existsSync(join(folder, 'k', 'torch-python'))).toBe(false)
    compared(theirs, await learned(world, campaign))
  })

  test('by DoGE out of domain comes to what the reference trainer comes to', { timeout: 180_000 }, async () => {
    const world = await planned('--method', 'doge', '--mu', '0.001', '--variant', 'out-of-domain')
    compared(await learned(world, world.campaign, python), await learned(world, world.campaign))
  })
})

const installed = existsSync(join(import.meta.dirname, '../../../services/trainer/python', '.venv'))
test.skipIf(installed)('where no Python can train, run says what to install, and nothing is recorded', async () => {
  const { winnow } = await planned('--method', 'doremi')
  expect(await winnow('proxies', 'run', 'torch')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('cannot run the trainer in Python'),
  })
  expect((await winnow('proxies', 'list')).stdout).toMatch(/torch +parity +doremi +1 +0/)
})
