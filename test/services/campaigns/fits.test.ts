import { expect, test } from 'vitest'
import { parse } from 'yaml'
import type { CampaignFit } from '../../../schemas/index.ts'
import { fitsOfRun } from '../../../services/campaigns/fits-of-run.ts'
import { fitsOf, readCampaigns, writeFit } from '../../../services/campaigns/recorded.ts'
import { completeRun, readRunFile } from '../../../services/runs/run-file.ts'
import { parseRunConfig, runConfigJson } from '../../../topologies/run-config.ts'
import { recordRun } from '../../support/memory-runtime.ts'
import { campaignWorld } from './world.ts'

const quick = ['--draws', '400', '--best', '4'] as const
const planned = ['proxies', 'plan', 'run.yaml', '--actor', 'parity', '--proxies', '12', '--steps', '4'] as const

/** A campaign with results, of which more of the first subcategory is better. */
async function finished(selection: object = {}) {
  const world = await campaignWorld(['even', 'odd'], selection)
  expect(await world.winnow(...planned)).toMatchObject({ code: 0, stdout: 'mine-parity\n' })
  await world.finish('mine-parity', (share) => 3 - share)
  return world
}

test('apply writes the weights into the file of a run, whose round 0 then selects by them; the rest of the file stays', async () => {
  const { winnow, file, read, folder, runtime, versions } = await finished()
  file(
    'mine.yaml',
    `# What I want.
name: mine2
selection:
  seed: 3 # lucky
  actors:
    parity: { subcategories: [ even, odd ], eta: 0.5 }
  budget: { documents: 20 }
updateSteps: 2
steps: 6
reference: { reward: r, evaluation: e, corpus: c }
model: shipped:llama-64x2
checkpoints: k
`,
  )
  const before = read('mine.yaml')
  expect(await winnow('proxies', 'apply', 'mine-parity', 'mine.yaml')).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('campaign mine-parity has no fit; nothing is applied'),
  })
  expect(read('mine.yaml')).toBe(before)

  expect((await winnow('proxies', 'fit', 'mine-parity', ...quick)).code).toBe(0)
  const applied = await winnow('proxies', 'apply', 'mine-parity', 'mine.yaml')
  expect(applied).toMatchObject({ code: 0, stderr: expect.stringContaining('next: npx winnow run create mine.yaml') })
  expect(read('mine.yaml')).toBe(
    before
      .replace('eta: 0.5 }', 'eta: 0.5, initialWeights: { from: mine-parity } }')
      .replace('documents: 20 }\n', 'documents: 20 }\n  firstSelection: weights\n'),
  )
  // Twice is once, and what is recorded are numbers.
  await winnow('proxies', 'apply', 'mine-parity', 'mine.yaml')
  const fits = fitsOf(await readCampaigns(runtime))
  const run = completeRun(readRunFile('mine.yaml', folder), await versions(), fits)
  expect(run.selection.firstSelection).toBe('weights')
  expect(run.selection.actors[0]!.initialWeights).toEqual(fits.get('mine-parity')!.weights)
  const [even, odd] = run.selection.actors[0]!.initialWeights
  expect(even).toBeGreaterThan(odd!)
})

test('apply leaves the file where the run has no such actor, and another folder is refused', async () => {
  const { winnow, file, read } = await finished()
  await winnow('proxies', 'fit', 'mine-parity', ...quick)
  const other = JSON.parse(read('run.yaml'))
  other.selection.actors = { shape: { subcategories: ['round', 'square'] } }
  other.labelers = { shape: 'v1' }
  file('other.yaml', JSON.stringify(other))
  expect(await winnow('proxies', 'apply', 'mine-parity', 'other.yaml')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('the run has no actor parity; nothing is applied'),
  })
  expect(JSON.parse(read('other.yaml'))).toEqual(other)
  expect((await winnow('proxies', 'apply', 'mine-parity', 'run.yaml', '--out', 'below/run.yaml')).code).toBe(2)
  const out = await winnow(
    'proxies',
    'apply',
    'mine-parity',
    '--out',
    'fitted.yaml',
    '--keep-first-selection',
    '--json',
  )
  expect(JSON.parse(out.stdout)).toMatchObject({ campaign: 'mine-parity', actor: 'parity' })
  const { selection } = parse(read('fitted.yaml'))
  expect(selection.actors.parity).toEqual({ subcategories: ['even', 'odd'], initialWeights: { from: 'mine-parity' } })
  expect(selection).not.toHaveProperty('firstSelection')
})

test('a fit that a run began with stays in the log beside later ones, and comes out again to the bit', async () => {
  const { winnow, folder, runtime, versions } = await finished({ rewardTransform: { kind: 'standardize' } })
  await winnow('proxies', 'fit', 'mine-parity', ...quick)
  await winnow('proxies', 'apply', 'mine-parity')
  const run = completeRun(readRunFile('run.yaml', folder), await versions(), fitsOf(await readCampaigns(runtime)))
  // Fitted again by other options: the last one counts for runs to come, the first one for this run.
  await winnow('proxies', 'fit', 'mine-parity', ...quick, '--best', '1', '--fit', 'linear')
  const { fits, fit } = (await readCampaigns(runtime)).get('mine-parity')!
  expect(fits.map(({ mean, kind }) => [mean, kind])).toEqual([
    [4, expect.any(String)],
    [1, 'linear'],
  ])
  expect(fit).toEqual(fits[1])
  const same = {
    of: 'initialWeights',
    actor: 'parity',
    campaign: 'mine-parity',
    inLog: true,
    same: true,
    firstDifference: null,
  }
  expect(await fitsOfRun(runtime, run, false)).toEqual([same])
  expect(await fitsOfRun(runtime, run, true)).toEqual([same])
  expect(await winnow('proxies', 'fit', 'mine-parity', '--check')).toMatchObject({ code: 0, stdout: 'identical\n' })

  // The same options again are the same record.
  await winnow('proxies', 'fit', 'mine-parity', ...quick)
  const again = (await readCampaigns(runtime)).get('mine-parity')!.fits
  expect(again.at(-1)!.weights).toEqual(fits[0]!.weights)
})

test('replay --refit ends with code 6 and the first difference where a recorded fit does not come out again', async () => {
  const { winnow, runtime, folder, versions } = await finished()
  await winnow('proxies', 'fit', 'mine-parity', ...quick)
  const { fit } = (await readCampaigns(runtime)).get('mine-parity')!
  // Somebody's own idea of the best mixture, as if it had been fitted.
  const forged: CampaignFit = { ...fit!, weights: [fit!.weights[0]!, 0.25], recordedMs: 5 }
  await writeFit(runtime, forged)
  await winnow('proxies', 'apply', 'mine-parity')
  const run = completeRun(readRunFile('run.yaml', folder), await versions(), fitsOf(await readCampaigns(runtime)))
  await recordRun(runtime, run, (text) => text.length)

  expect(await winnow('replay', '--run', 'mine')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(
      /^initial weights of parity: those of the fit of mine-parity\n[\s\S]*3 rounds of mine and \S+ are the same to the bit\n$/,
    ),
  })
  expect(await winnow('replay', '--run', 'mine', '--refit')).toMatchObject({
    code: 6,
    stderr: expect.stringContaining(`weights.1: 0.25 and ${fit!.weights[1]}`),
  })
  const lines = (await winnow('replay', '--run', 'mine', '--refit', '--json')).stdout.trim().split('\n')
  expect(JSON.parse(lines[0]!)).toMatchObject({ actor: 'parity', same: false })

  // Weights that no fit gave.
  const { actors } = run.selection
  const other = { ...run, selection: { ...run.selection, actors: [{ ...actors[0]!, initialWeights: [1, 2] }] } }
  const [found] = await fitsOfRun(runtime, parseRunConfig(JSON.parse(runConfigJson(other))), false)
  expect(found).toMatchObject({ same: false, firstDifference: `weights: ${forged.weights.join(', ')} and 1, 2` })
})

test('a campaign that leads to nothing says why in plain words, with exit code 5, and records nothing', async () => {
  const { winnow, runtime, finish } = await campaignWorld()
  const refused = async (words: string, ...more: string[]) => {
    expect(await winnow('proxies', 'fit', 'mine-parity', ...more)).toMatchObject({
      code: 5,
      stdout: '',
      stderr: expect.stringContaining(words),
    })
    expect((await readCampaigns(runtime)).get('mine-parity')?.fit).toBeUndefined()
  }
  await winnow(...planned)
  await finish('mine-parity', (share) => share, 7)
  await refused('campaign mine-parity has 7 results and a fit needs 8; nothing is recorded')

  await winnow(...planned, '--name', 'flat')
  await finish('flat', () => 2.5)
  expect(await winnow('proxies', 'fit', 'flat')).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('reached the same loss, so that no mixture is better than another'),
  })
  await finish('mine-parity', (share) => share)
  await refused('none of the draws is within what the corpus can give', '--budget', '1000000000', '--draws', '50')
})

test('a subcategory without tokens is said at once, with exit code 5; without it a campaign can be planned if asked for', async () => {
  const { winnow, runtime, finish } = await campaignWorld(['even', 'odd', 'prime', 'perfect'])
  expect(await winnow(...planned)).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('subcategories prime, perfect of parity have no tokens; nothing is planned'),
  })
  expect(await readCampaigns(runtime)).toEqual(new Map())
  expect((await winnow(...planned, '--without-empty')).code).toBe(0)
  await finish('mine-parity', (share) => 3 - share)
  const fitted = await winnow('proxies', 'fit', 'mine-parity', ...quick, '--json')
  expect(JSON.parse(fitted.stdout).shares.slice(2)).toEqual([0, 0])
})
