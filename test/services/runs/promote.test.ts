import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { RoundOpened, runTopics } from '../../../schemas/index.ts'
import type { Config } from '../../../services/config/config.ts'
import { startRunHost } from '../../../services/host/run-host.ts'
import { readManifests, readTopic } from '../../../services/runs/recorded.ts'
import { setLife, submitRun } from '../../../services/runs/registry.ts'
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
const folder = temporaryFolder('promote')
const shadows = ['quick', 'fresh']

let runtime: MemoryRuntime
let winnow: ReturnType<typeof cliOn>
const says = sayingOn(() => winnow)

/** A run of eight rounds whose shadows are promoted while it is under way: one for the round after next, then the other. */
beforeAll(async () => {
  runtime = await memoryRuntime()
  await fillByParity(runtime.store, 40)
  winnow = cliOn(runtime, { actors: [] } as unknown as Config, folder)
  writeFileSync(join(folder, 'fresh.json'), JSON.stringify({ repeat: 'exclude', budget: { documents: 4 } }))
  let host: Awaited<ReturnType<typeof startRunHost>> | undefined
  await recordRun(runtime, parityRun('leader', {}, { steps: 16 }), rewardOf, undefined, async (round) => {
    if (round === 1) {
      await says('run', 'shadow', 'leader', '--as', 'quick', '--set', 'eta=0.9')
      await says('run', 'shadow', 'leader', '--as', 'fresh', '--with', 'fresh.json')
      host = await startRunHost(runtime, { only: new Set(shadows), onFailure })
    }
    if (round > 0)
      for (const name of shadows)
        await until(async () => (await readManifests(runtime, name).catch(() => [])).length > round)
    if (round === 1) {
      expect(await says('run', 'promote', 'quick', '--round', '3')).toContain('leader goes on as quick from round 3 on')
      expect(await says('run', 'promote', 'quick', '--round', '3')).toContain('already')
      expect(await says('run', 'show', 'leader')).toContain('goes on as its shadow quick once that has selected as far')
    }
    if (round === 4) {
      expect(await says('run', 'promote', 'quick')).toContain('already')
      expect(JSON.parse(await says('run', 'promote', 'fresh', '--json'))).toEqual({
        ...{ run: 'leader', shadow: 'fresh', fromRound: null, isNew: true },
      })
    }
  })
  await host!.close()
})

test('from the round of its promotion on the run selects what its shadow selects, until another one is promoted', async () => {
  const [leader, quick, fresh] = await Promise.all(['leader', ...shadows].map((name) => readManifests(runtime, name)))
  const digests = (manifests: typeof leader) => manifests!.map(({ selectionDigest }) => selectionDigest)
  const weights = (manifests: typeof leader) => manifests!.map((one) => one.weights)
  expect(digests(leader).slice(3, 5)).toEqual(digests(quick).slice(3, 5))
  expect(weights(leader).slice(3, 5)).toEqual(weights(quick).slice(3, 5))
  expect(weights(leader)[2]).not.toEqual(weights(quick)[2])
  expect(digests(leader).slice(5)).toEqual(digests(fresh).slice(5))
  expect(leader!.map(({ documents }) => documents).slice(4)).toEqual([quick![4]!.documents, 4, 4, 4])
})

test('the openings of these rounds say so, and nobody else does', async () => {
  const records = await readTopic(runtime, runTopics('leader').consoleState.name)
  const opened = records.flatMap(({ record, value }) => (record === RoundOpened.name ? [value as RoundOpened] : []))
  expect(opened.map(({ promoted }) => promoted?.shadow ?? null)).toEqual([
    ...[null, null, null, 'quick', null, 'fresh', null, null],
  ])
  expect(await says('run', 'show', 'leader')).toContain('goes on as its shadow fresh from round 5 on')
})

test('its replay is the same to the bit, by the settings that it had in each round alone', async () => {
  expect(await says('replay', '--run', 'leader')).toContain('8 rounds of leader and leader-replay-1 are the same')
  const other = join(folder, 'other.json')
  writeFileSync(other, JSON.stringify({ update: 'additive' }))
  const { code, stderr } = await winnow('replay', '--run', 'leader', '--with', other)
  expect([code, stderr]).toEqual([3, expect.stringContaining('goes on by the settings of quick from round 3 on')])
})

test('it is evaluated and explained by what it selected by', async () => {
  const evaluated = await says('evaluate', 'leader', '--json')
  expect(evaluated.trim().split('\n')).toHaveLength(7)
  expect(await winnow('ablate', 'leader')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('changed on the way'),
  })
})

test('the commands that documents give for it work', async () => {
  await submitRun(runtime, parityRun('multi-actor-7'))
  await says('run', 'shadow', 'multi-actor-7', '--as', 'quicker', '--set', 'eta=0.3')
  for (const command of blocksFor('services/runs/promote').flatMap(({ text }) => commandsIn(text)))
    expect(await winnow(...command.trim().split(/ +/).slice(2))).toMatchObject({ code: 0 })
})

test('what is no shadow, and a shadow of what is over, is refused', async () => {
  expect(await winnow('run', 'promote', 'leader')).toMatchObject({
    ...{ code: 3, stderr: expect.stringContaining('leader is not a shadow') },
  })
  await submitRun(runtime, parityRun('brief'))
  await says('run', 'shadow', 'brief', '--as', 'late', '--set', 'eta=0.5')
  await setLife(runtime, 'brief', 'ended')
  expect(await winnow('run', 'promote', 'late')).toMatchObject({ code: 3, stderr: expect.stringContaining('brief') })
})
