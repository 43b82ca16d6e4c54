import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, inject, test } from 'vitest'
import { parse } from 'yaml'
import type { Campaign, ProxyClaim, ProxyResult } from '../../schemas/index.ts'
import { campaignNamed } from '../../services/campaigns/recorded.ts'
import type { Runtime } from '../../services/connections/connections.ts'
import { readTopic } from '../../services/runs/recorded.ts'
import { startWinnow } from '../services/cli/winnow.ts'
import { cliOn } from '../support/cli.ts'
import { blocksFor } from '../support/documents.ts'
import { until } from '../support/kafka.ts'
import { replacing } from '../support/shell.ts'
import { openWorld } from './loop-world.ts'

const recordsOf = async (runtime: Runtime, campaign: string) => await readTopic(runtime, `winnow.campaign.${campaign}`)

/** The first result of each proxy, without what time it took. */
async function resultsOf(runtime: Runtime, campaign: string) {
  const results = new Map<number, Pick<ProxyResult, 'shares' | 'loss' | 'corpusLoss'>>()
  for (const { record, value } of await recordsOf(runtime, campaign)) {
    const { proxy, shares, loss, corpusLoss } = value as ProxyResult
    if (record === 'ProxyResult' && !results.has(proxy)) results.set(proxy, { shares, loss, corpusLoss })
  }
  return new Map([...results].sort(([a], [b]) => a - b))
}

test('a campaign of proxies: killed and shared it ends as one left alone, its fit comes out again to the bit, and a run begins with its weights', async () => {
  const world = await openWorld(90)
  const { runtime, config, folder, database } = world
  const winnow = cliOn(runtime, config, folder)
  const [kind] = config.actors.map(({ name }) => name) as [string]
  await winnow('init', '--run', '--name', 'mine')
  const written = parse(readFileSync(join(folder, 'run.yaml'), 'utf8'))
  const run = { ...written, trainer: { batch: 2, context: 24, reportSteps: 1 } }
  writeFileSync(join(folder, 'run.yaml'), JSON.stringify(run))

  const plan = (name: string, actor = kind, proxies = '9') =>
    winnow('proxies', 'plan', 'run.yaml', '--actor', actor, '--name', name, '--proxies', proxies, '--steps', '4')
  expect(await plan('shared', 'nobody')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining(`Its actors: ${kind}`),
  })
  expect(await plan('shared')).toMatchObject({ code: 0, stdout: 'shared\n' })
  expect(await plan('shared')).toMatchObject({ code: 0, stdout: 'shared\n' })
  expect(await plan('shared', kind, '10')).toMatchObject({ code: 3, stderr: expect.stringContaining('another plan') })
  expect(await winnow('proxies', 'run', 'sharde')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('Did you mean shared?'),
  })
  expect(await winnow('proxies', 'fit', 'shared')).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('has 0 results and a fit needs 8'),
  })

  // One worker is killed in the middle of a proxy; two others end what is left.
  const file = join(folder, 'own.yaml')
  const { actors } = parse(readFileSync(config.file!, 'utf8'))
  writeFileSync(file, JSON.stringify({ corpus: { partitions: 3 }, actors, clickhouse: { database } }))
  const env = {
    WINNOW_BROKERS: inject('brokers').join(','),
    WINNOW_REGISTRY_URL: inject('registryUrl'),
    WINNOW_CLICKHOUSE_URL: inject('clickhouseUrl'),
  }
  const { child, ended } = startWinnow(['proxies', 'run', 'shared', '--config', file], env, folder)
  const claims = async () => (await recordsOf(runtime, 'shared')).filter(({ record }) => record === 'ProxyClaim')
  await until(async () => new Set((await claims()).map(({ value }) => (value as ProxyClaim).proxy)).size >= 2)
  child.kill('SIGKILL')
  await ended
  const done = await Promise.all(['1', '2'].map((workers) => winnow('proxies', 'run', 'shared', '--workers', workers)))
  for (const one of done)
    expect(one).toMatchObject({ code: 0, stderr: expect.stringContaining('9 proxies are trained') })
  expect(new Set((await claims()).map(({ value }) => (value as ProxyClaim).worker)).size).toBeGreaterThan(2)

  // As docs/proxies.md has it, on a smaller scale.
  const documented = blocksFor('integration/proxies').flatMap(({ text }) => text.trim().split('\n'))
  const alone = `mine-${kind}`
  for (const line of documented) {
    const [from, to] = line.includes('--actor')
      ? ['--actor domain --proxies 64 --steps 200', `--actor ${kind} --proxies 9 --steps 4`]
      : ['first-domain', alone]
    const command = replacing(line, [[from, to]])
    expect(await winnow(...command.replace('npx winnow ', '').split(' ')), command).toMatchObject({ code: 0 })
  }
  expect(documented).toHaveLength(4)
  const results = await resultsOf(runtime, 'shared')
  expect([...results.keys()]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  expect(results).toEqual(await resultsOf(runtime, alone))
  // A small corpus does not have what every mixture wants, so that some select the same.
  expect(new Set([...results.values()].map(({ loss }) => loss)).size).toBeGreaterThan(3)

  // The fit, and the same once more.
  const fitted = await winnow('proxies', 'fit', 'shared', '--draws', '2000', '--best', '16', '--json')
  expect(fitted.code).toBe(0)
  const fit = JSON.parse(fitted.stdout) as { weights: number[]; shares: number[]; inputs: string; scale: string }
  expect(fit.shares.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9)
  expect(fit.scale).toBe('lift')
  expect(await winnow('proxies', 'fit', 'shared', '--check')).toMatchObject({ code: 0, stdout: 'identical\n' })
  expect((await winnow('proxies', 'list')).stdout).toMatch(new RegExp(`shared +${kind} +regmix +9 +9 +\\w+, predicts`))
  const { plan: recorded } = await campaignNamed(runtime, 'shared')
  expect((recorded as Campaign).mixtures).toHaveLength(9)

  // A run that begins with these weights records the numbers, and what they come from.
  const from = (campaign: string, firstSelection = 'weights') => {
    const own = { ...run.selection.actors[kind], initialWeights: { from: campaign } }
    const selection = { ...run.selection, firstSelection, actors: { ...run.selection.actors, [kind]: own } }
    writeFileSync(join(folder, 'from.yaml'), JSON.stringify({ ...run, selection }))
    return winnow('run', 'create', 'from.yaml', '--json')
  }
  expect(await from('other')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('there is no campaign other with a fit'),
  })
  const created = await from('shared')
  expect(created.code).toBe(0)
  const config2 = JSON.parse(created.stdout)
  expect(config2.selection.actors[kind].initialWeights).toEqual(fit.weights)
  expect(config2.initializedBy).toEqual({ [kind]: { campaign: 'shared', inputs: fit.inputs } })

  // So does an actor that joins it later.
  const joining = (...args: string[]) => winnow('run', 'add-actor', config2.name, '--actor', 'again', ...args, '--json')
  expect(await joining('--labeler', kind, '--weights-from', 'other')).toMatchObject({ code: 3 })
  expect(await joining('--labeler', kind, '--weights-from', 'shared', '--weights', '1')).toMatchObject({ code: 3 })
  const joined = await joining('--labeler', kind, '--weights-from', 'shared')
  expect(joined.code).toBe(0)
  expect(JSON.parse(joined.stdout).initialWeights).toEqual(fit.weights)
})
