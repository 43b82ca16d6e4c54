import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { exportRun } from '../../../services/archive/export.ts'
import type { Config } from '../../../services/config/config.ts'
import { readManifests } from '../../../services/runs/recorded.ts'
import { selectionsOf } from '../../../services/selections/chunks.ts'
import { cliOn, sayingOn } from '../../support/cli.ts'
import { type MemoryRuntime, parityRun, recordRun } from '../../support/memory-runtime.ts'
import { temporaryFolder } from '../../support/temporary.ts'
import { archivableRuntime } from './world.ts'

const folder = temporaryFolder('archived-other-text')
const archive = `archive:${join(folder, 'archive')}`
let runtime: MemoryRuntime
/** Where no cluster answers. */
let nowhere: ReturnType<typeof cliOn>
let live: ReturnType<typeof cliOn>
const says = sayingOn(() => nowhere)
const saysLive = sayingOn(() => live)

/** Odd documents help. */
const rewardOf = (text: string) => (Number(text.split(' ')[1]) % 2 === 0 ? -1 : 1)
const guards = { other: { bound: 0.3, from: 0.1, fall: 1, against: 5 } }
const takenOver = 'as the run recorded: nothing was trained here whose loss on other text could decide it'

/** Five rounds of twenty documents, whose loss on other text rises by 0.05 a round: a quarter of round 3 is natural, and half of round 4. */
beforeAll(async () => {
  runtime = await archivableRuntime(80)
  const run = parityRun('bounded', { guards, budget: { documents: 20 } }, { steps: 10 })
  const pause = async () => {}
  await recordRun(runtime, run, rewardOf, pause, pause, (step) => 5 + step / 40)
  await exportRun({ runtime, run, folder: join(folder, 'archive') })
  const away = new Proxy(runtime, {
    get: () => {
      throw new Error('a cluster was asked')
    },
  })
  live = cliOn(runtime, { actors: [] } as unknown as Config, folder)
  nowhere = cliOn(away, { actors: [] } as unknown as Config, folder)
})

const simulated = (out: string, round: number): string[] =>
  readFileSync(join(out, `selection-${round}.txt`), 'utf8')
    .trim()
    .split('\n')
const even = (ids: readonly string[]) => ids.filter((id) => BigInt(id) % 2n === 0n).length

test('its archive simulates to what was recorded, document by document', async () => {
  const out = join(folder, 'simulated')
  const { rounds } = JSON.parse(await says('simulate', '--run', archive, '--out', out, '--json'))
  expect(rounds.map(({ naturalShare = 0 }: { naturalShare?: number }) => naturalShare)).toEqual([0, 0, 0, 0.25, 0.5])
  for (const manifest of await readManifests(runtime, 'bounded')) {
    const recorded: string[] = []
    for await (const ids of selectionsOf(runtime).selection(manifest, 0)) recorded.push(...ids.map(String))
    expect(simulated(out, manifest.round)).toEqual(recorded)
  }
})

test('by other settings a simulation and a replay have the same, with the recorded shares, and say so', async () => {
  const changes = { update: 'additive', budget: { documents: 12 } }
  writeFileSync(join(folder, 'changes.json'), JSON.stringify(changes))
  const replayed = await saysLive('replay', '--run', 'bounded', '--with', join(folder, 'changes.json'))
  expect(replayed).toContain(`2 rounds draw 25 to 50% from the natural mixture, ${takenOver}`)

  const actors = { parity: { subcategories: ['even', 'odd'], eta: 0.5 } }
  const config = { seed: 3, actors, guards, ...changes }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  const given = ['simulate', '--run', archive, '--config', join(folder, 'config.json')]
  const [out, free] = [join(folder, 'other'), join(folder, 'free')]
  expect(await says(...given, '--out', out)).toContain(takenOver)
  // A natural 3 and 6 of twelve, of which half are even.
  expect([1, 2, 3, 4].map((round) => even(simulated(out, round)))).toEqual([0, 0, 1, 3])
  for (const round of [3, 4]) {
    const { documents } = JSON.parse(readFileSync(join(out, 'rounds.jsonl'), 'utf8').split('\n')[round]!)
    expect(documents).toBe(12)
  }

  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, guards: undefined }))
  expect(await says(...given, '--out', free)).not.toContain('natural')
  expect([1, 2, 3, 4].map((round) => even(simulated(free, round)))).toEqual([0, 0, 0, 0])
})

test('its selections are judged with the natural part that they had, by an evaluation and by ablations alike', async () => {
  const told = await saysLive('evaluate', 'bounded', '--on', 'next-round', '--json')
  const evaluations = told
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const worth = evaluations.map(({ round, estimates }) => [
    round,
    estimates.find(({ policy }: { policy: string }) => policy === 'selection').mean,
  ])
  // Of twenty documents two are even in round 3, whose natural share is 0.25: 18 rewards of 1, and two of -1.
  expect(worth.slice(1)).toEqual([
    [1, 1],
    [2, 1],
    [3, 0.8],
  ])
  const { natural, variants } = JSON.parse(await saysLive('ablate', 'bounded', '--json'))
  expect(natural).toEqual([{ round: 3, naturalShare: 0.25 }])
  const of = (name: string) => variants.find((one: { name: string }) => one.name === name)
  expect(of('as recorded').reward.mean).toBeCloseTo(2.8 / 3, 12)
  expect(of('update additive').reward.mean).toBeCloseTo(2.8 / 3, 12)
  expect(await says('ablate', archive)).toContain(`round 3 draws 25% from the natural mixture, ${takenOver}`)
})
