import { expect, test } from 'vitest'
import { fitsOf, readCampaigns } from '../../../services/campaigns/recorded.ts'
import { completeRun, readRunFile } from '../../../services/runs/run-file.ts'
import { parseRunConfig, type RunConfig, recordedConfig, runConfigJson } from '../../../topologies/run-config.ts'
import { recordRun } from '../../support/memory-runtime.ts'
import { campaignWorld } from './world.ts'

const subcategories = ['0-1', '1-2']
const selection = (initialWeights: object, more: object = {}) => ({
  seed: 3,
  actors: { parity: { subcategories, initialWeights } },
  budget: { documents: 20 },
  firstSelection: 'weights',
  ...more,
})

/** The run that a file with this rule is recorded as. */
async function runBy(initialWeights: object, more: object = {}) {
  const world = await campaignWorld(subcategories)
  world.file('run.yaml', JSON.stringify({ ...world.run, selection: selection(initialWeights, more) }))
  const run = completeRun(readRunFile('run.yaml', world.folder), await world.versions())
  return { ...world, recorded: run }
}

test('a run records the numbers that a rule gives and the rule, and its round 0 selects by them', async () => {
  const threshold = { rule: 'threshold', from: '1-2' }
  const { runtime, recorded, winnow } = await runBy(threshold)
  expect(recorded.selection.actors[0]!.initialWeights).toEqual([0, 1])
  expect(recorded.initializedBy).toEqual({ parity: threshold })
  expect(recordedConfig({ run: 'mine', config: runConfigJson(recorded) })).toEqual(recorded)

  // 30 documents of the odd ones are there, and 20 are wanted.
  const [first] = await recordRun(runtime, recorded, (text) => text.length)
  expect(first!.weights).toEqual([[0, 1]])
  expect(first).toMatchObject({ documents: 20, threshold: 1, marginal: { score: 1, documents: 30, taken: 20 } })

  expect(await winnow('replay', '--run', 'mine')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(
      'initial weights of parity: by the rule threshold, which gives them again to the bit\n',
    ),
  })
})

test('replay says with code 6 that initial weights are not those of the rule that is recorded', async () => {
  const { runtime, recorded, winnow } = await runBy({ rule: 'softmax', temperature: 2 })
  const json = JSON.parse(runConfigJson(recorded)) as {
    selection: { actors: { parity: { initialWeights: number[] } } }
  }
  json.selection.actors.parity.initialWeights[1]! += 2 ** -53
  const forged: RunConfig = parseRunConfig(json)
  await recordRun(runtime, forged, (text) => text.length)
  const [was, is] = [forged, recorded].map((run) => run.selection.actors[0]!.initialWeights[1])
  expect(await winnow('replay', '--run', 'mine')).toMatchObject({
    code: 6,
    stderr: expect.stringContaining(
      `the initial weights of parity differ from the rule softmax that gave them: 1: ${was} and ${is}`,
    ),
  })
  const lines = (await winnow('replay', '--run', 'mine', '--json')).stdout.trim().split('\n')
  expect(JSON.parse(lines[0]!)).toMatchObject({ actor: 'parity', rule: 'softmax', temperature: 2, same: false })
})

test('under standardize the weights are z-scores, and replay computes them again on that scale', async () => {
  const more = { rewardTransform: { kind: 'standardize' } }
  const { runtime, recorded, winnow } = await runBy({ rule: 'threshold', from: 1 }, more)
  expect(recorded.selection.actors[0]!.initialWeights).toEqual([-1, 1])
  await recordRun(runtime, recorded, (text) => text.length)
  expect((await winnow('replay', '--run', 'mine')).code).toBe(0)
})

test('a campaign for one actor and a rule for another: both are recorded', async () => {
  const world = await campaignWorld(['even', 'odd'])
  await world.winnow('proxies', 'plan', 'run.yaml', '--actor', 'parity', '--proxies', '12', '--steps', '4')
  await world.finish('mine-parity', (share) => 3 - share)
  await world.winnow('proxies', 'fit', 'mine-parity', '--draws', '400', '--best', '4')
  const rule = { rule: 'threshold', from: 'good' }
  const actors = {
    parity: { subcategories: ['even', 'odd'], initialWeights: { from: 'mine-parity' } },
    tone: { subcategories: ['bad', 'good'], initialWeights: rule },
  }
  const given = { ...world.run, labelers: { parity: 'v1', tone: 'v1' }, selection: { ...selection({}), actors } }
  world.file('both.yaml', JSON.stringify(given))
  const fits = fitsOf(await readCampaigns(world.runtime))
  const run = completeRun(readRunFile('both.yaml', world.folder), await world.versions(), fits)
  const fit = fits.get('mine-parity')!
  expect(run.selection.actors.map(({ initialWeights }) => initialWeights)).toEqual([fit.weights, [0, 1]])
  expect(run.initializedBy).toEqual({ parity: { campaign: 'mine-parity', inputs: fit.inputs }, tone: rule })
})

test('a rule that cannot be is refused by file, place and reason, before anything is connected', async () => {
  const { file, run, winnow, folder } = await campaignWorld(subcategories)
  file('run.yaml', JSON.stringify({ ...run, selection: selection({ rule: 'threshold', from: '9-10' }) }))
  expect(await winnow('run', 'create', 'run.yaml')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining(
      `${folder}/run.yaml: configuration: selection.actors.parity.initialWeights.from: "9-10" is no subcategory of this actor: it has "0-1", "1-2"`,
    ),
  })
})
