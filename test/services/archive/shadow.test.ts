import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runTopics, topics } from '../../../schemas/index.ts'
import { exportRun } from '../../../services/archive/export.ts'
import { verifyArchive } from '../../../services/archive/manifest.ts'
import type { Config } from '../../../services/config/config.ts'
import { startRunHost } from '../../../services/host/run-host.ts'
import { readManifests } from '../../../services/runs/recorded.ts'
import { runNamed } from '../../../services/runs/registry.ts'
import { cliOn } from '../../support/cli.ts'
import { until } from '../../support/kafka.ts'
import type { MemoryRuntime } from '../../support/memory-runtime.ts'
import { recordedRun } from './world.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-archive-shadow-'))
const archive = join(folder, 'archive')
let runtime: MemoryRuntime
let live: ReturnType<typeof cliOn>
let nowhere: ReturnType<typeof cliOn>

/** A run that reads what it has read again, halved, and a shadow of it by other settings, which depends on what was read. */
beforeAll(async () => {
  ;({ runtime } = await recordedRun({ repetitionDecay: 0.5, holdOut: 0.3 }))
  live = cliOn(runtime, { actors: [] } as unknown as Config, folder)
  const away = new Proxy(runtime, {
    get: () => {
      throw new Error('a cluster was asked')
    },
  })
  nowhere = cliOn(away, { actors: [] } as unknown as Config, folder)
  const recorded = await live('run', 'shadow', 'original', '--as', 'quick', '--set', 'eta=0.9')
  expect(recorded).toMatchObject({ code: 0 })
  const onFailure = (error: unknown) => {
    throw error
  }
  const host = await startRunHost(runtime, { only: new Set(['quick']), onFailure })
  await until(async () => (await readManifests(runtime, 'quick').catch(() => [])).length === 3)
  await host.close()
  await exportRun({ runtime, run: await runNamed(runtime, 'quick'), folder: archive })
})
afterAll(() => rmSync(folder, { recursive: true }))

test('an archive of a shadow has what its run holds too, each topic once', async () => {
  const names = (await verifyArchive(archive)).topics.map(({ name }) => name)
  for (const topic of ['consoleState', 'rewards', 'selections', 'progress'] as const)
    expect(names).toContain(runTopics('original')[topic].name)
  for (const topic of ['consoleState', 'actorState', 'selections'] as const)
    expect(names).toContain(runTopics('quick')[topic].name)
  expect(names).toContain(topics.documents.name)
  expect(new Set(names).size).toBe(names.length)
})

test.each([['replay', '--run'], ['evaluate']])('%s of it answers as the cluster does', async (command, ...option) => {
  const there = await live(command, ...option, 'quick', '--json')
  const here = await nowhere(command, ...option, `archive:${archive}`, '--json')
  expect(there).toMatchObject({ code: 0 })
  expect([here.code, here.stdout]).toEqual([0, there.stdout])
  if (command !== 'replay') return
  const rounds = here.stdout.trim().split('\n')
  expect(rounds.map((line) => JSON.parse(line).same)).toEqual([true, true, true])
})
