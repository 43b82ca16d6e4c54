import { describe, expect, test } from 'vitest'
import {
  ActorChange,
  type ActorState,
  type Manifest,
  type RewardRequest,
  type RoundOpened,
  RoundRelabelled,
  runTopics,
  type TopicOffset,
} from '../../schemas/index.ts'
import { decideStage } from '../../topologies/console/staging.ts'
import { actorStation, labelerStation, labelSinkStation } from '../../topologies/dataflow.ts'
import type { InMemoryDriver } from '../../topologies/driver.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import type { Act } from '../support/drive.ts'
import { documents, rewardOf, runLoop, subcategoryOf, tinyRun } from './loop.ts'

const newcomer = 'texture'
const added: ActorChange = {
  ...{
    run: 'tiny',
    id: 'add',
    kind: 'add',
    actor: newcomer,
    fromRound: null,
    subcategories: ['a', 'b', 'c'],
    eta: 0.5,
  },
  ...{ initialWeights: [0.25, -1, 0.5], initialTheta: 0.4, labelerVersion: 'v1', labeler: '{}', labelerFolder: '/' },
  ...{ recordedMs: 1, fit: null },
}

const want =
  (...changes: Partial<ActorChange>[]): Act =>
  (driver) =>
    void driver.append(
      changes.map((change) => {
        const value = { ...added, ...change }
        return { topic: runTopics('tiny').changes.name, record: ActorChange, key: value.id, value }
      }),
    )

/** What runs beside a run once an actor is added: its labeler, its label sink, the actor. */
const helpers =
  (run: RunConfig, labels = true): Act =>
  async (driver, ports) => {
    const stations = [labelerStation(newcomer), labelSinkStation([newcomer])].filter(() => labels)
    for (const station of [...stations, actorStation(run, newcomer)])
      await driver.start({ ...station, name: `${station.name} of the newcomer` }, (output) =>
        station.build(ports, output),
      )
    await driver.run()
  }

const all =
  (...acts: Act[]): Act =>
  async (driver, ports) => {
    for (const act of acts) await act(driver, ports)
  }

/** A run of eight rounds, in which something happens before rounds 1, 2, ... */
const played = async (acts: Readonly<Record<number, Act>> = {}, selection: object = {}) => {
  const run = tinyRun(selection, { steps: 80 })
  return { run, ...(await runLoop(run, undefined, 3, run.steps, acts)) }
}

const openings = (driver: InMemoryDriver): RoundOpened[] =>
  driver
    .records(runTopics('tiny').consoleState.name)
    .filter(({ record }) => record === 'RoundOpened')
    .map(({ value }) => value as RoundOpened)
const joined = (driver: InMemoryDriver) =>
  openings(driver).flatMap(({ round, changes }) => changes.map(({ id, kind }) => [round, kind, id]))
const states = (driver: InMemoryDriver, actor: string) =>
  driver
    .records(runTopics('tiny').actorState.name)
    .map(({ value }) => value as ActorState)
    .filter((state) => state.actor === actor)
const actorsOf = (manifests: readonly Manifest[]) => manifests.map(({ actors }) => actors.length)
const requestsFor = (driver: InMemoryDriver, actor: string) =>
  driver
    .records(runTopics('tiny').rewardRequests.name)
    .map(({ value }) => value as RewardRequest)
    .filter((request) => request.actor === actor)

const everySelection: object[] = [
  {},
  { rewardTransform: { kind: 'identity' }, normalize: 'sum', firstSelection: 'weights' },
  { rewardTransform: { kind: 'exp', scale: 0.5 }, update: 'additive', unrewarded: 'mean', budget: { tokens: 100 } },
  { collaboration: 'competitive' },
  { collaboration: 'joint' },
  { collaboration: 'joint', joint: { weighting: 'corpus' } },
  { collaboration: 'joint', joint: { cells: { shrinkage: 1, eta: 0.5 } } },
  { collaboration: 'single:colour', repeat: 'exclude' },
  { repetitionDecay: 0.3 },
  { strategy: { mixture: { actor: 'shape', proportional: true } } },
  { strategy: { sampler: { kind: 'gumbel', temperature: 0.5 }, mixture: { actor: 'colour', weights: [1, 0, 2] } } },
  { strategy: { score: { kind: 'label', actor: 'shape', standardize: 'corpus' }, pool: [{ tokensMin: 6 }] } },
]

describe('an actor that is added to a live run', () => {
  test.each(everySelection)('with theta 0 and eta 0 changes no bit of what is selected: %j', async (selection) => {
    const without = await played({}, selection)
    const run = without.run
    const acts = { 3: all(helpers(run), want({ eta: 0, initialTheta: 0 })) }
    const beside = await played(acts, selection)
    expect(joined(beside.driver)).toEqual([[3, 'add', 'add']])
    expect(actorsOf(beside.manifests)).toEqual([2, 2, 2, 3, 3, 3, 3, 3])
    expect(beside.selected).toEqual(without.selected)
    for (const [i, { theta, weights, threshold, actorRewards }] of beside.manifests.entries()) {
      const other = without.manifests[i]!
      expect([theta.slice(0, 2), weights.slice(0, 2), threshold, actorRewards.slice(0, 2)]).toEqual([
        ...[other.theta, other.weights.slice(0, 2), other.threshold, other.actorRewards],
      ])
      // Residuals of a joint fit, if there are any, are last, and over the same cells.
      if (other.weights.length > 2) expect(weights.at(-1)).toEqual(other.weights.at(-1))
      expect(theta.slice(2)).toEqual(i < 3 ? [] : [0])
    }
    expect(requestsFor(beside.driver, newcomer)).toEqual([])
    expect(beside.driver.rejected).toEqual([])
  })

  test('joins with its initial weights and theta, is asked for samples, and learns from the round on', async () => {
    const { run } = await played()
    const { driver, manifests } = await played({ 2: all(helpers(run), want({})) })
    expect(joined(driver)).toEqual([[2, 'add', 'add']])
    const own = states(driver, newcomer)
    expect(own.map(({ round }) => round)).toEqual([2, 3, 4, 5, 6, 7])
    expect(new Set(requestsFor(driver, newcomer).map(({ round }) => round))).toEqual(new Set([2, 3, 4, 5, 6, 7]))
    // ema: (1 - eta) w + eta R.
    const [first] = own
    expect(first!.weights).toEqual(added.initialWeights.map((weight, j) => 0.5 * weight + 0.5 * first!.rewards[j]!))
    const { theta, actorRewards } = manifests[2]!
    const mean = (actorRewards[0]! + actorRewards[1]! + actorRewards[2]!) / 3
    expect(theta[2]).toBe(0.4 + 0.5 * (actorRewards[2]! - mean))
    expect(manifests[2]!.actors).toEqual(['shape', 'colour', newcomer])
    expect(manifests[2]!.labelOffsets.map(({ topic }) => topic)).toContain('winnow.labels.texture')
    expect(manifests[2]!.documents).toBe(30)
  })

  test('has the mean of the thetas at that time if it is given none', async () => {
    const { run } = await played()
    const { driver, manifests } = await played({ 4: all(helpers(run), want({ initialTheta: null })) })
    const { theta } = manifests[3]!
    expect(openings(driver)[4]!.changes[0]!.initialTheta).toBe((theta[0]! + theta[1]!) / 2)
  })

  test('waits until its labels cover what the last selection saw, and delays nobody meanwhile', async () => {
    const { run } = await played()
    const without = await played()
    const late = await played({ 2: all(helpers(run, false), want({})), 5: helpers(run) })
    expect(joined(late.driver)).toEqual([[5, 'add', 'add']])
    expect(late.selected.slice(0, 5)).toEqual(without.selected.slice(0, 5))
    const never = await played({ 2: all(helpers(run, false), want({})) })
    expect(joined(never.driver)).toEqual([])
    expect(never.selected).toEqual(without.selected)
  })

  test('does not join before the round that it was asked for, and is called off by a removal', async () => {
    const { run } = await played()
    const later = await played({ 1: all(helpers(run), want({ fromRound: 6 })) })
    expect(joined(later.driver)).toEqual([[6, 'add', 'add']])
    const off = await played({ 1: all(helpers(run), want({ fromRound: 6 }, { id: 'no', kind: 'remove' })) })
    expect(joined(off.driver)).toEqual([])
  })

  test('may leave and come again, as another one', async () => {
    const { run } = await played()
    const { driver, manifests } = await played({
      1: all(helpers(run), want({})),
      3: want({ id: 'leave', kind: 'remove' }),
      5: want({ id: 'again', eta: 0.25, initialWeights: [1, 2, 3], initialTheta: -1 }),
    })
    expect(joined(driver)).toEqual([
      [1, 'add', 'add'],
      [3, 'remove', 'leave'],
      [5, 'add', 'again'],
    ])
    expect(actorsOf(manifests)).toEqual([2, 3, 3, 2, 2, 3, 3, 3])
    const own = states(driver, newcomer)
    expect(own.map(({ round }) => round)).toEqual([1, 2, 5, 6, 7])
    expect(own[2]!.weights).toEqual([1, 2, 3].map((weight, j) => 0.75 * weight + 0.25 * own[2]!.rewards[j]!))
  })

  test('every station can be started again from the log at any time and changes nothing', async () => {
    const { run } = await played()
    const { driver, ports, stations } = await played({ 2: all(helpers(run), want({})) })
    const lengths = () =>
      [...driver.log].map(([topic, partitions]) => [topic, partitions.map((records) => records.length)])
    const before = lengths()
    const own = stations.filter(({ kind }) => kind === 'console' || kind === 'actor')
    for (const station of [...own, { ...actorStation(run, newcomer), name: 'once more' }])
      await driver.start(station, (output) => station.build(ports, output))
    await driver.run()
    expect(lengths()).toEqual(before)
  })
})

describe('an actor of a live run', () => {
  test('that is frozen keeps weights and theta, and is asked nothing any more', async () => {
    const { driver, manifests } = await played({ 3: want({ id: 'freeze', kind: 'freeze', actor: 'shape' }) })
    expect(joined(driver)).toEqual([[3, 'freeze', 'freeze']])
    for (const { theta, weights, actorRewards } of manifests.slice(3)) {
      expect([theta[0], weights[0], actorRewards[0]]).toEqual([manifests[2]!.theta[0], manifests[2]!.weights[0], null])
    }
    expect(Math.max(...requestsFor(driver, 'shape').map(({ round }) => round))).toBe(2)
    expect(manifests[7]!.weights[1]).not.toEqual(manifests[2]!.weights[1])
  })

  test('that is removed has no part in what is selected, and its labels no longer matter', async () => {
    const { driver, manifests } = await played({ 3: want({ id: 'leave', kind: 'remove', actor: 'shape' }) })
    expect(joined(driver)).toEqual([[3, 'remove', 'leave']])
    expect(manifests.map(({ actors }) => actors).slice(2, 4)).toEqual([['shape', 'colour'], ['colour']])
    expect(manifests[3]!.labelOffsets.map(({ topic }) => topic)).not.toContain('winnow.labels.shape')
    expect(states(driver, 'shape').map(({ round }) => round)).toEqual([0, 1, 2])
  })

  test('stays if a strategy needs it, if it is the last one, or if it never was there', async () => {
    const strategy = { strategy: { mixture: { actor: 'shape', proportional: true } } }
    const needed = await played({ 3: want({ id: 'leave', kind: 'remove', actor: 'shape' }) }, strategy)
    expect(joined(needed.driver)).toEqual([])
    const last = await played({
      3: want({ id: '1', kind: 'remove', actor: 'shape' }, { id: '2', kind: 'remove', actor: 'colour' }),
    })
    expect(joined(last.driver)).toEqual([[3, 'remove', '1']])
    const nobody = await played({ 3: want({ id: '1', kind: 'freeze', actor: 'nobody' }) })
    expect(joined(nobody.driver)).toEqual([])
  })
})

/** Labels of `shape` by another version: its score says how bad a document is, by the rewards at any checkpoint. */
const relabelling =
  (version: string, labels: 'built' | 'missing' = 'built'): Act =>
  async (driver, ports) => {
    void want({
      id: version,
      kind: 'relabel',
      actor: 'shape',
      subcategories: ['round', 'square'],
      labelerVersion: version,
    })(driver, ports)
    if (labels === 'built') await building(version)(driver, ports)
  }

const building =
  (version: string): Act =>
  async (driver, ports) => {
    const station = labelerStation('shape')
    const labelModel = () => ({
      actor: 'shape',
      version,
      label: async (inputs: readonly { text: string }[]) =>
        inputs.map(({ text }) => {
          const { docId } = documents.find((one) => one.text === text)!
          return { ok: true as const, subcategory: subcategoryOf('shape', docId), score: -rewardOf('', docId) }
        }),
    })
    await driver.start({ ...station, name: `labeler ${version}` }, (output) =>
      station.build({ ...ports, labelModel }, output),
    )
    await driver.run()
  }

const byPrediction = {
  strategy: { score: { kind: 'label', actor: 'shape', sign: -1 }, sampler: { kind: 'gumbel', temperature: 0.1 } },
}
const meanReward = (ids: readonly bigint[]) => ids.reduce((sum, id) => sum + rewardOf('', id), 0) / ids.length
const versionsOf = (driver: InMemoryDriver) =>
  openings(driver).flatMap(({ round, changes }) => changes.map(({ labelerVersion }) => [round, labelerVersion]))

describe('labels of another version in a live run', () => {
  test('hold from the first round on at which they are there: documents whose predicted loss is low are chosen', async () => {
    const before = await played({}, byPrediction)
    const { driver, selected, manifests } = await played(
      { 2: relabelling('stage1', 'missing'), 4: building('stage1') },
      byPrediction,
    )
    expect(versionsOf(driver)).toEqual([[4, 'stage1']])
    // Scores that are all the same select at random, whatever the temperature.
    expect(selected.slice(0, 4)).toEqual(before.selected.slice(0, 4))
    const all = meanReward(documents.map(({ docId }) => docId))
    for (const ids of selected.slice(4)) expect(meanReward(ids)).toBeGreaterThan(all + 0.4)
    for (const ids of selected.slice(0, 4)) expect(meanReward(ids)).toBeLessThan(all + 0.3)
    expect(new Set(manifests.map(({ actors }) => actors.join()))).toEqual(new Set(['shape,colour']))
  })

  test('are those of the newest version that is there; an older one that comes later does not return', async () => {
    const late = await played(
      { 1: relabelling('stage1', 'missing'), 2: relabelling('stage2'), 4: building('stage1') },
      byPrediction,
    )
    expect(versionsOf(late.driver)).toEqual([[2, 'stage2']])
    const both = await played(
      {
        1: relabelling('stage1', 'missing'),
        2: all(relabelling('stage2', 'missing'), building('stage1'), building('stage2')),
      },
      byPrediction,
    )
    expect(versionsOf(both.driver)).toEqual([[2, 'stage2']])
    const slow = await played(
      { 1: relabelling('stage1'), 2: relabelling('stage2', 'missing'), 5: building('stage2') },
      byPrediction,
    )
    expect(versionsOf(slow.driver)).toEqual([
      [1, 'stage1'],
      [5, 'stage2'],
    ])
  })

  test('are refused if they are those of the run, of another actor, or of other subcategories', async () => {
    const { driver } = await played({
      1: want(
        { id: '1', kind: 'relabel', actor: 'shape', subcategories: ['round', 'square'], labelerVersion: 'v1' },
        { id: '2', kind: 'relabel', actor: 'nobody', subcategories: [], labelerVersion: 'v2' },
        { id: '3', kind: 'relabel', actor: 'shape', subcategories: ['other'], labelerVersion: 'v2' },
      ),
    })
    expect(versionsOf(driver)).toEqual([])
  })
})

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
