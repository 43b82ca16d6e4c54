import { describe, expect, test } from 'vitest'
import { Manifest, Promotion, runTopics } from '../../schemas/index.ts'
import { PendingPromotions, type ShadowAt } from '../../topologies/console/promotions.ts'
import { type Ports, shadowStations } from '../../topologies/dataflow.ts'
import { type InMemoryDriver, selectionOf } from '../../topologies/driver.ts'
import { type RunConfig, runConfigJson } from '../../topologies/run-config.ts'
import { runLoop, tinyRun } from './loop.ts'

const manifestsOf = (driver: InMemoryDriver, run: string): Manifest[] =>
  driver
    .records(runTopics(run).consoleState.name)
    .flatMap(({ record, value }) => (record === Manifest.name ? [value as Manifest] : []))

test('from the round of its promotion on a run selects what its shadow selects, in its own stream', async () => {
  const leader = tinyRun({ holdOut: 0.3 }, { sampleDocuments: 15 })
  const run: RunConfig = {
    ...leader,
    ...{ name: 'shadow', shadowOf: leader.name },
    selection: { ...leader.selection, repeat: 'exclude', update: 'additive', rewardTransform: { kind: 'identity' } },
  }
  const { driver, manifests } = await runLoop(leader, undefined, 3, leader.steps, {
    1: async (on: InMemoryDriver, shared: Ports) => {
      const ports = { ...shared, console: { ...shared.console, onEvent: () => {} } }
      for (const station of shadowStations(run, leader))
        await on.start({ ...station, name: `shadow ${station.name}` }, (output) => station.build(ports, output))
    },
    2: (on) => {
      const value: Promotion = {
        ...{ run: leader.name, id: 'p', shadow: 'shadow', config: runConfigJson(run), fromRound: null, recordedMs: 0 },
      }
      on.append([{ topic: runTopics(leader.name).changes.name, record: Promotion, key: 'p', value }])
    },
  })
  const own = manifestsOf(driver, 'shadow')
  const idsOf = (manifest: Manifest) => selectionOf(manifest, driver.records(runTopics(manifest.run).selections.name))
  expect(
    own
      .map(idsOf)
      .map((ids, round) => JSON.stringify(ids.map(String)) === JSON.stringify(idsOf(manifests[round]!).map(String))),
  ).toEqual([true, false, true, true])
  expect(manifests.slice(2).map(({ weights, theta }) => [weights, theta])).toEqual(
    own.slice(2).map(({ weights, theta }) => [weights, theta]),
  )
})

describe('promotions that somebody asked for', () => {
  const leader = tinyRun()
  const state = { run: { ...leader, name: 'a', shadowOf: 'tiny' }, states: [], theta: [] }
  const wanted = (id: string, fromRound: number | null = null): Promotion => ({
    ...{ run: 'tiny', id, shadow: id.slice(0, 1), config: runConfigJson(state.run), fromRound, recordedMs: 0 },
  })
  const level: ShadowAt = async () => state
  const pending = (...promotions: Promotion[]) => {
    const all = new PendingPromotions()
    for (const one of promotions) all.want(one)
    return all
  }

  test('the last one that is due and level counts', async () => {
    const all = pending(wanted('a/0'), wanted('b/1', 7))
    expect((await all.ready(6, 5, level))?.shadow).toBe('a')
    expect((await all.ready(7, 6, level))?.shadow).toBe('b')
    const behind: ShadowAt = async (_shadow, round) => (round < 6 ? state : undefined)
    expect((await all.ready(6, 5, behind))?.round).toBe(5)
    expect(await all.ready(7, 6, behind)).toBeUndefined()
  })

  test('one that was taken calls off those before it, and not those after it', async () => {
    const all = pending(wanted('a/0'), wanted('b/1'), wanted('a/2', 9))
    all.take({ id: 'b/1' })
    expect(await all.ready(8, 7, level)).toBeUndefined()
    expect((await all.ready(9, 8, level))?.id).toBe('a/2')
  })

  test('the same again is the same', async () => {
    const all = pending(wanted('a/0'), wanted('a/0'))
    all.take({ id: 'a/0' })
    expect([all.waiting, all.asked]).toEqual([[], 1])
  })
})
