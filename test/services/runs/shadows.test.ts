import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { Evaluation } from '../../../schemas/index.ts'
import type { Config } from '../../../services/config/config.ts'
import { startRunHost } from '../../../services/host/run-host.ts'
import { readManifests } from '../../../services/runs/recorded.ts'
import { listRuns, setLife, submitRun } from '../../../services/runs/registry.ts'
import { cliOn, sayingOn } from '../../support/cli.ts'
import { blocksFor, commandsIn } from '../../support/documents.ts'
import { until } from '../../support/kafka.ts'
import { fillByParity, type MemoryRuntime, memoryRuntime, parityRun, recordRun } from '../../support/memory-runtime.ts'
import { temporaryFolder } from '../../support/temporary.ts'

/** Odd documents help. */
const rewardOf = (text: string) => (Number(text.split(' ')[1]) % 2 === 0 ? -1 : 1)
const onFailure = (error: unknown) => {
  throw error
}
const folder = temporaryFolder('shadows')

let runtime: MemoryRuntime
let winnow: ReturnType<typeof cliOn>
const says = sayingOn(() => winnow)
const refused = async (...args: string[]): Promise<string> => {
  const { code, stderr } = await winnow(...args)
  expect(code).toBe(3)
  return stderr
}
const selected = (run: string, rounds: number) =>
  until(async () => (await readManifests(runtime, run).catch(() => [])).length === rounds)

/** A run of five rounds, and shadows of it that join when it is under way. */
beforeAll(async () => {
  runtime = await memoryRuntime()
  await fillByParity(runtime.store, 40)
  winnow = cliOn(runtime, { actors: [] } as unknown as Config, folder)
  const run = parityRun('leader', {}, { steps: 10 })
  let host: Awaited<ReturnType<typeof startRunHost>> | undefined
  await recordRun(runtime, run, rewardOf, undefined, async (round) => {
    if (round === 1) {
      writeFileSync(join(folder, 'shadow.json'), JSON.stringify({ repeat: 'exclude', budget: { documents: 4 } }))
      expect(await says('run', 'shadow', 'leader')).toBe('leader-shadow-1\n')
      expect(await says('run', 'shadow', 'leader', '--as', 'quick', '--set', 'eta=0.9')).toBe('quick\n')
      await says('run', 'shadow', 'leader', '--as', 'fresh', '--with', 'shadow.json', '--set', 'eta.parity=0.2')
      host = await startRunHost(runtime, { only: new Set(['leader-shadow-1', 'quick', 'fresh']), onFailure })
    }
    if (round > 0) for (const name of ['leader-shadow-1', 'quick', 'fresh']) await selected(name, round + 1)
  })
  await host!.close()
})

test('a shadow catches up with its run, then selects for each of its rounds by its own settings', async () => {
  const [leader, same, quick, fresh] = await Promise.all(
    ['leader', 'leader-shadow-1', 'quick', 'fresh'].map((name) => readManifests(runtime, name)),
  )
  const digests = (manifests: typeof leader) => manifests!.map(({ selectionDigest }) => selectionDigest)
  expect(digests(same)).toEqual(digests(leader))
  expect(quick!.map(({ weights }) => weights)).not.toEqual(leader!.map(({ weights }) => weights))
  expect(fresh!.map(({ documents }) => documents)).toEqual([4, 4, 4, 4, 4])
  const record = (await listRuns(runtime)).get('fresh')!
  expect(record).toMatchObject({ replayOf: 'leader', life: 'active' })
  expect(JSON.parse(record.config)).toMatchObject({
    shadowOf: 'leader',
    selection: { seed: '3', repeat: 'exclude', actors: { parity: { eta: 0.2 } } },
  })
})

test('it is evaluated like a run, by the rewards of its run', async () => {
  const evaluated = async (name: string) =>
    (await says('evaluate', name, '--json'))
      .trim()
      .split('\n')
      .map((line): Evaluation => JSON.parse(line))
  const [ofLeader, ofSame, ofFresh] = [
    await evaluated('leader'),
    await evaluated('leader-shadow-1'),
    await evaluated('fresh'),
  ]
  const nameless = (all: Evaluation[]) => all.map(({ run: _, ...one }) => one)
  expect(nameless(ofSame)).toEqual(nameless(ofLeader))
  expect(ofFresh.map(({ round, on }) => [round, on])).toEqual([0, 1, 2, 3].map((round) => [round, 'next-round']))
})

test('its replay is the same to the bit, and follows nobody', async () => {
  for (const name of ['quick', 'fresh'])
    expect(await says('replay', '--run', name)).toContain(`5 rounds of ${name} and ${name}-replay-1 are the same`)
  const { config } = (await listRuns(runtime)).get('quick-replay-1')!
  expect(JSON.parse(config)).not.toHaveProperty('shadowOf')
})

test('people see what it is and what it waits for', async () => {
  const shown = await says('run', 'show', 'quick')
  expect(shown).toMatch(/^quick: shadow of leader/)
  expect(shown).toContain(
    'shadowing; waits for round 5 of leader; no console is connected: winnow run stations --run quick',
  )
  expect(await says('run', 'list')).toMatch(/quick +shadow of leader +shadowing/)
  expect(await says('compare', 'leader', 'quick')).toContain('in common')
})

test.each([
  [['run', 'shadow', 'quick'], 'quick is a shadow of leader itself'],
  [['run', 'shadow', 'leader', '--set', 'seed=4'], 'seed'],
  [['run', 'shadow', 'leader', '--as', 'quick', '--set', 'eta=0.4'], 'quick exists with another configuration'],
])('winnow %j is refused', async (args, why) => {
  expect(await refused(...args)).toContain(why)
})

test('--set takes one value of one key', async () => {
  for (const set of ['eta=0.1,0.2', 'eta'])
    expect(await winnow('run', 'shadow', 'leader', '--set', set)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('not KEY=VALUE'),
    })
})

test('a control and a run that is over have no shadows', async () => {
  await submitRun(runtime, parityRun('control', {}, { sampleDocuments: 0 }))
  expect(await refused('run', 'shadow', 'control')).toContain('asks for no rewards')
  await submitRun(runtime, parityRun('over'))
  await setLife(runtime, 'over', 'ended')
  expect(await refused('run', 'shadow', 'over')).toContain('winnow replay --run over --with FILE')
})

test('nobody trains on it or asks for rewards in its name', async () => {
  for (const part of ['trainer', 'influence'])
    expect(await winnow('run', part, '--run', 'quick')).toMatchObject({ code: 3 })
})

test('the run that it follows is kept as long as it is', async () => {
  await setLife(runtime, 'leader', 'ended')
  expect(await refused('run', 'delete', 'leader')).toContain('run leader has shadows, which cannot be read without it')
  expect(await refused('run', 'delete', 'quick')).toContain('run quick is not over')
})

test('the commands that documents give for shadows work', async () => {
  await submitRun(runtime, parityRun('multi-actor-7'))
  for (const command of blocksFor('services/runs/shadows').flatMap(({ text }) => commandsIn(text))) {
    const [npx, program, ...words] = command.trim().split(/ +/)
    expect([npx, program]).toEqual(['npx', 'winnow'])
    expect(await winnow(...words)).toMatchObject({ code: 0 })
  }
})
