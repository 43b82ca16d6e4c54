import { describe, expect, test } from 'vitest'
import { RoundRelabelled, runTopics, type TopicOffset } from '../../../schemas/index.ts'
import { decideStage } from '../../../topologies/console/staging.ts'
import type { Act } from '../../support/drive.ts'
import { documents, runLoop, tinyRun } from '../loop.ts'
import { all, building, byPrediction, meanReward, openings, want } from './world.ts'

/** Asks for labels that are fitted to the rewards of a round, and builds them. */
const stageOf = (round: number, labels: 'built' | 'missing' = 'built'): Act => {
  const fit = {
    ...{ run: 'tiny', rounds: [round], rewardOffsets: [], checkpoint: '', probes: 40, inputs: '', settings: '{}' },
    ...{ spearman: 0.5, measured: 40, chance: 0.26 },
  }
  const version = `stage${round}`
  const subcategories = ['round', 'square']
  const asked = want({ id: version, kind: 'relabel', actor: 'shape', subcategories, labelerVersion: version, fit })
  return labels === 'built' ? all(asked, building(version)) : asked
}

describe('a run with stages', () => {
  const stages = { stages: { waitSeconds: 600 } }
  const run = tinyRun(byPrediction, { steps: 80, ...stages })
  const staged = (acts: Readonly<Record<number, Act>>) => runLoop(run, undefined, 3, run.steps, acts)

  test('selects each round by labels that are fitted to its own rewards, and its log says which', async () => {
    const acts = Object.fromEntries([1, 2, 3, 4, 5, 6].map((round) => [round + 1, stageOf(round)]))
    const { driver, manifests, selected } = await staged(acts)
    // The last one waits for its stage.
    expect(manifests.map(({ round }) => round)).toEqual([0, 1, 2, 3, 4, 5, 6])
    const relabelled = driver
      .records(runTopics('tiny').consoleState.name)
      .filter(({ record }) => record === RoundRelabelled.name)
      .map(({ value }) => value as RoundRelabelled)
    expect(relabelled.map(({ round, change }) => [round, change?.labelerVersion])).toEqual(
      [1, 2, 3, 4, 5, 6].map((round) => [round, `stage${round}`]),
    )
    const everything = meanReward(documents.map(({ docId }) => docId))
    expect(meanReward(selected[0]!)).toBeLessThan(everything + 0.3)
    for (const ids of selected.slice(1)) expect(meanReward(ids)).toBeGreaterThan(everything + 0.4)
    for (const [i, { round, labelOffsets }] of relabelled.entries()) {
      expect(manifests[i + 1]!.labelOffsets).toEqual(labelOffsets)
      const { labelOffsets: before } = openings(driver).find((opened) => opened.round === round)!
      const others = (offsets: readonly TopicOffset[]) => offsets.filter(({ topic }) => !topic.endsWith('.shape'))
      expect(others(labelOffsets)).toEqual(others(before))
    }
    expect(driver.rejected).toEqual([])
  })

  test('waits while the labels are missing, or are fitted to other rewards, and goes on from the log after any restart', async () => {
    const late = await staged({ 2: stageOf(1, 'missing'), 3: stageOf(7), 4: building('stage1') })
    expect(late.manifests.map(({ round }) => round)).toEqual([0, 1])
    const acts = Object.fromEntries([1, 2, 3, 4, 5, 6].map((round) => [round + 1, stageOf(round)]))
    const { driver, ports, stations } = await staged(acts)
    const lengths = () => [...driver.log].map(([topic, parts]) => [topic, parts.map((records) => records.length)])
    const before = lengths()
    for (const station of stations.filter(({ kind }) => kind === 'console' || kind === 'actor'))
      await driver.start(station, (output) => station.build(ports, output))
    await driver.run()
    expect(lengths()).toEqual(before)
  })

  test('goes on by the labels that it has once it has waited long enough', async () => {
    const opened = openings((await staged({})).driver)[1]!
    const inputs = { run, opened, waiting: [], labelled: async () => true, committed: async () => [] }
    expect(await decideStage({ ...inputs, waitedMs: 599_999 })).toBeUndefined()
    expect(await decideStage({ ...inputs, waitedMs: 600_000 })).toEqual({
      ...{ run: 'tiny', round: 1, change: null, labelOffsets: opened.labelOffsets },
    })
  })
})
