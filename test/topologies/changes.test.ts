import { from, lastValueFrom, toArray } from 'rxjs'
import { describe, expect, test } from 'vitest'
import {
  ActorChange,
  type ActorState,
  type Manifest,
  type RewardRequest,
  type RoundOpened,
  RoundRelabelled,
  runTopics,
  Steering,
  type SubcategoryMapping,
  type TopicOffset,
} from '../../schemas/index.ts'
import { foldRounds } from '../../topologies/actor.ts'
import { decideStage } from '../../topologies/console/staging.ts'
import { actorStation, labelerStation, labelSinkStation } from '../../topologies/dataflow.ts'
import type { InMemoryDriver } from '../../topologies/driver.ts'
import { Configuration } from '../../topologies/rounds/configuration.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { splitmix64 } from '../../topologies/selection/u64.ts'
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
  ...{ recordedMs: 1, fit: null, mapping: null, by: '', why: '' },
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
  (version: string, labelOf = (docId: bigint) => subcategoryOf('shape', docId)): Act =>
  async (driver, ports) => {
    const station = labelerStation('shape')
    const labelModel = () => ({
      actor: 'shape',
      version,
      label: async (inputs: readonly { text: string }[]) =>
        inputs.map(({ text }) => {
          const { docId } = documents.find((one) => one.text === text)!
          return { ok: true as const, subcategory: labelOf(docId), score: -rewardOf('', docId) }
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

/** Of `shape`: square documents are oval or wide; version `two` says which, `one` said none of it. */
const finer = ['wide', 'round', 'oval']
const finerOf = (docId: bigint): number =>
  subcategoryOf('shape', docId) === 0 ? 1 : 2 * Number(splitmix64(docId ^ 99n) % 2n)
const toFiner: SubcategoryMapping = {
  origins: [
    { subcategory: 'wide', from: [{ subcategory: 'square', documents: 0 }] },
    { subcategory: 'round', from: [{ subcategory: 'round', documents: 0 }] },
    { subcategory: 'oval', from: [] },
  ],
  retired: [],
}
const splitting = (given: Partial<ActorChange> = {}, labels: 'built' | 'missing' = 'built'): Act =>
  all(
    want({
      ...{ id: 'split', kind: 'relabel', actor: 'shape', subcategories: finer, labelerVersion: 'finer' },
      ...{ initialWeights: [7, 7, 0.125], mapping: toFiner, by: 'ada', why: 'finer', ...given },
    }),
    labels === 'missing' ? () => {} : building('finer', finerOf),
  )

/** That name no subcategory of `shape`. */
const ofOthers = everySelection.filter((one) => !JSON.stringify(one).includes('"shape"'))

describe('an actor whose subcategories become others in a live run', () => {
  test('goes on from the weights of those that stay or are split, and begins anew with those that are new', async () => {
    const { driver, manifests } = await played({ 3: splitting() })
    expect(joined(driver)).toEqual([[3, 'relabel', 'split']])
    expect(openings(driver)[3]!.changes[0]).toMatchObject({ mapping: toFiner, by: 'ada', why: 'finer' })
    const own = states(driver, 'shape')
    const [round, square] = own[2]!.weights
    const begins = [square!, round!, 0.125]
    expect(own[3]!.weights).toEqual(begins.map((weight, j) => 0.5 * weight + 0.5 * own[3]!.rewards[j]!))
    expect(manifests.map(({ weights }) => weights[0]!.length)).toEqual([2, 2, 2, 3, 3, 3, 3, 3])
    const asked = openings(driver).map(({ samples }) => samples.filter(({ actor }) => actor === 'shape').length)
    expect(asked).toEqual([0, 2, 2, 3, 3, 3, 3, 3])
    expect(driver.rejected).toEqual([])
  })

  test.each(ofOthers)('is the fold of the log, whatever order it is read in: %j', async (selection) => {
    const { run, driver } = await played({ 3: splitting() }, selection)
    const decided = driver.records(runTopics('tiny').consoleState.name).filter(({ record }) => record !== 'Manifest')
    const rewards = driver.records(runTopics('tiny').rewards.name)
    const alternating = decided.flatMap((one, i) => [one, ...rewards.slice(20 * i, 20 * (i + 1))])
    const orders = [
      [...decided, ...rewards],
      [...rewards, ...decided],
      [...alternating, ...rewards.slice(20 * decided.length)],
    ]
    const written = states(driver, 'shape').map(({ round, weights }) => [round, weights])
    expect(written.map(([, weights]) => (weights as number[]).length)).toEqual([2, 2, 2, 3, 3, 3, 3, 3])
    for (const order of orders) {
      const folded = await lastValueFrom(from(order).pipe(foldRounds(run, 'shape'), toArray()))
      expect(folded.map(({ round, weights }) => [round, weights])).toEqual(written)
    }
  })

  test('changes no bit of a run while its labels are missing, nor of a run that has no subcategory less or more', async () => {
    const without = await played()
    const missing = await played({ 3: splitting({}, 'missing') })
    expect(missing.selected).toEqual(without.selected)
    const swapped = { subcategories: ['square', 'round'], initialWeights: [0, 0] }
    const mapping = {
      origins: swapped.subcategories.map((subcategory) => ({ subcategory, from: [{ subcategory, documents: 0 }] })),
      retired: [],
    }
    const turned = all(
      splitting({ ...swapped, mapping, labelerVersion: 'turned' }, 'missing'),
      building('turned', (docId) => 1 - subcategoryOf('shape', docId)),
    )
    const { driver, manifests, selected } = await played({ 3: turned })
    expect(joined(driver)).toEqual([[3, 'relabel', 'split']])
    expect(selected).toEqual(without.selected)
    for (const [i, { weights }] of manifests.entries())
      expect(i < 3 ? weights[0] : weights[0]!.toReversed()).toEqual(without.manifests[i]!.weights[0])
  })

  test('is not taken where a strategy or a guard names a subcategory that would be gone, until it is freed', async () => {
    const guards = { rules: [{ kind: 'floor', actor: 'shape', subcategory: 'square', share: 0.1 }] }
    const guarded = await played({ 3: splitting() }, { guards })
    expect(joined(guarded.driver)).toEqual([])
    const free: Steering = {
      ...{ run: 'tiny', id: 's', repetitionsMost: null, by: 'ada', why: '', fromRound: null, recordedMs: 0 },
      otherBound: null,
      rules: [{ kind: 'free', actor: 'shape', subcategory: 'square', share: 0 }],
    }
    const freeing: Act = (driver) =>
      void driver.append([{ topic: runTopics('tiny').changes.name, record: Steering, key: 's', value: free }])
    const freed = await played({ 3: splitting(), 5: freeing }, { guards })
    expect(joined(freed.driver)).toEqual([[6, 'relabel', 'split']])
    expect(states(freed.driver, 'shape').map(({ weights }) => weights.length)).toEqual([2, 2, 2, 2, 2, 2, 3, 3])
    const pool = { strategy: { pool: [{ actor: 'shape', subcategories: ['square'] }] } }
    expect(joined((await played({ 3: splitting() }, pool)).driver)).toEqual([])
  })

  test('is called off by other subcategories that are asked for later, and by no fit of labels to rewards', async () => {
    const merged: SubcategoryMapping = {
      retired: [],
      origins: [
        {
          subcategory: 'any',
          from: [
            { subcategory: 'round', documents: 2 },
            { subcategory: 'square', documents: 6 },
          ],
        },
      ],
    }
    const { driver } = await played({
      2: splitting({}, 'missing'),
      3: all(
        want({
          ...{ id: 'merge', kind: 'relabel', actor: 'shape', subcategories: ['any'], labelerVersion: 'any' },
          ...{ initialWeights: [0], mapping: merged },
        }),
        building('any', () => 0),
        building('finer', finerOf),
      ),
    })
    expect(joined(driver)).toEqual([[3, 'relabel', 'merge']])
    const own = states(driver, 'shape')
    const [round, square] = own[2]!.weights
    expect(own[3]!.weights).toEqual([0.5 * ((2 * round! + 6 * square!) / 8) + 0.5 * own[3]!.rewards[0]!])
    const plain = await played({ 2: splitting({}, 'missing'), 3: relabelling('stage1'), 5: building('finer', finerOf) })
    expect(joined(plain.driver)).toEqual([
      [3, 'relabel', 'stage1'],
      [5, 'relabel', 'split'],
    ])
  })

  test('every station can be started again from the log at any time and changes nothing', async () => {
    const { driver, ports, stations } = await played({ 2: splitting() })
    const lengths = () =>
      [...driver.log].map(([topic, partitions]) => [topic, partitions.map((records) => records.length)])
    const before = lengths()
    for (const station of stations.filter(({ kind }) => kind === 'console' || kind === 'actor'))
      await driver.start(station, (output) => station.build(ports, output))
    await driver.run()
    expect(lengths()).toEqual(before)
  })

  test('a run with other settings, in which what is gone has a part, says that it cannot follow', () => {
    const change: ActorChange = {
      ...{ ...added, id: 'split', kind: 'relabel', actor: 'shape', subcategories: finer, labelerVersion: 'finer' },
      mapping: toFiner,
    }
    const run = tinyRun({ strategy: { pool: [{ actor: 'shape', subcategories: ['square'] }] } })
    const configuration = new Configuration(run)
    configuration.learn({ round: 3, changes: [change] })
    expect(configuration.at(2).selection.actors[0]!.subcategories).toEqual(['round', 'square'])
    expect(() => configuration.at(3)).toThrow(/cannot follow round 3.*strategy.pool.0.subcategories names "square"/)
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
