import { from, lastValueFrom, toArray } from 'rxjs'
import { expect, test } from 'vitest'
import { type ActorState, Manifest, type RoundOpened } from '../../schemas/index.ts'
import { foldRounds } from '../../topologies/actor.ts'
import { configurationBy } from '../../topologies/rounds/configuration.ts'
import { type Faults, noFaults } from '../support/fault-driver.ts'
import { subcategoryOf, tinyRun } from '../topologies/loop.ts'
import type { NaiveConfig } from '../topologies/selection/naive.ts'
import { checkLedger } from './ledger.ts'
import { newcomer, World, type WorldOptions } from './world.ts'

const seeds = process.env.WINNOW_FAULT_SOAK === '1' ? 5_000 : 100
const timeout = 300_000
/** All but torn transactions, which Kafka does not have and which may let a deadline pass, and the clock. */
const faults: Faults = {
  ...{ lost: 0.03, unknown: 0.03, crash: 0.03, zombie: 0.3, torn: 0, rewind: 0.02, replay: 0.02, rebalance: 0.02 },
  clock: 0,
}
const selection = {
  actors: {
    shape: { subcategories: ['round', 'square'], eta: 0.5 },
    colour: { subcategories: ['red', 'green', 'blue'], eta: 0.5 },
  },
  rewardTransform: { kind: 'standardize' as const },
  budget: { documents: 20 },
} satisfies Partial<NaiveConfig>

async function played(given: Pick<WorldOptions, 'seed' | 'faults'> & Partial<WorldOptions>) {
  const world = new World({ unruly: false, poison: false, selection, ...given })
  await world.play()
  const openings = new Map(world.decisions<RoundOpened>('RoundOpened').map((one) => [one.round, one]))
  const manifests = new Map(world.decisions<Manifest>(Manifest.name).map((one) => [one.round, one]))
  const joined = [...openings.values()].flatMap(({ round, changes }) => changes.map(() => round))
  return { world, openings, manifests, joined }
}

test('an actor that only watches joins once, and changes no bit, whatever dies between any two steps', {
  timeout,
}, async () => {
  let crashes = 0
  for (let seed = 1; seed <= seeds; seed++) {
    // A round that closes by its deadline has other rewards, which is no doing of the newcomer.
    const more = { rewardDeadlineSeconds: 1e9 }
    const watched = await played({ seed, faults, more, newcomer: { eta: 0, initialTheta: 0 } })
    const alone = await played({ seed, faults: noFaults, more })
    expect([seed, watched.joined.length]).toEqual([seed, 1])
    crashes += watched.world.driver.counts.crash
    for (const [round, manifest] of alone.manifests) {
      const other = watched.manifests.get(round)!
      expect([seed, round, watched.world.selected(other)]).toEqual([seed, round, alone.world.selected(manifest)])
      const { theta, weights } = other
      expect([theta.slice(0, 2), weights.slice(0, 2)]).toEqual([manifest.theta, manifest.weights])
    }
    checkLedger(watched.world)
  }
  expect(crashes).toBeGreaterThan(seeds)
})

test('an actor that takes part is in the log as the fold of the log has it, whatever dies between any two steps', {
  timeout,
}, async () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const { world, openings, manifests, joined } = await played({ seed, faults, newcomer: {} })
    expect([seed, joined.length]).toEqual([seed, 1])
    const configuration = configurationBy(world.run, openings.values())
    await expectStatesAsFolded(world, configuration.actorsEver, seed)
    for (const [round, manifest] of manifests) {
      expect([seed, round, manifest.actors]).toEqual([
        ...[seed, round, configuration.at(round).selection.actors.map(({ name }) => name)],
      ])
      expect(manifest.actors.includes(newcomer)).toBe(round >= joined[0]!)
    }
  }
})

test('a run that goes on as a shadow does so once, from its weights, and is in the log as the fold of the log has it, whatever dies between any two steps', {
  timeout,
}, async () => {
  const other = tinyRun({ ...selection, update: 'additive', repeat: 'exclude' })
  const nothing = { counts: [0, 0, 0], everRewarded: [], rewards: [null, null, null] }
  const shadow = {
    run: { ...other, name: 'shadow', shadowOf: other.name },
    states: [
      { ...nothing, actor: 'shape', weights: [3, -3] },
      { ...nothing, actor: 'colour', weights: [0, 5, -5] },
    ],
    theta: [0.2, 0.8],
  }
  for (let seed = 1; seed <= seeds / 2; seed++) {
    const { world, openings, manifests } = await played({ seed, faults, shadow })
    const promoted = [...openings.values()].filter((one) => one.promoted !== null)
    expect([seed, promoted.length]).toEqual([seed, 1])
    const configuration = configurationBy(world.run, openings.values())
    for (const round of manifests.keys())
      expect(configuration.at(round).selection.update).toBe(round < promoted[0]!.round ? 'ema' : 'additive')
    expect(
      manifests
        .get(promoted[0]!.round)!
        .weights.flat()
        .some((weight) => Math.abs(weight) > 1),
    ).toBe(true)
    await expectStatesAsFolded(world, configuration.actorsEver, seed)
    checkLedger(world)
  }
})

test('what somebody steered holds from one round on, in every selection and never before, whatever dies between any two steps', {
  timeout,
}, async () => {
  const steered = {
    rules: [{ kind: 'pin' as const, actor: 'colour', subcategory: 'blue', share: 0.25 }],
    ...{ repetitionsMost: 2, fromRound: 1 },
  }
  let crashes = 0
  for (let seed = 1; seed <= seeds / 2; seed++) {
    const { world, openings, manifests } = await played({ seed, faults, steered })
    const rounds = [...openings.values()].filter((one) => one.steered.length > 0).map(({ round }) => round)
    // Under faults the console may come to read of it after a round has opened: then the next one takes it.
    const [since = -1, ...more] = rounds
    expect([seed, more, since >= 1]).toEqual([seed, [], true])
    crashes += world.driver.counts.crash
    const configuration = configurationBy(world.run, openings.values())
    for (const [round, manifest] of manifests) {
      const { guards } = configuration.at(round).selection
      expect(guards?.rules.map(({ by, why }) => [by, why])).toEqual(round < since ? undefined : [['ada', 'because']])
      expect(manifest.strata === null).toBe(round < since)
      if (round < since) continue
      const blue = world.selected(manifest).filter((docId) => subcategoryOf('colour', docId) === 2)
      expect([seed, round, blue.length]).toEqual([seed, round, manifest.strata![1]!.documents])
      // Twenty documents; the pool may hold fewer than five that were not read twice.
      expect(blue.length).toBe(Math.min(5, manifest.strata![1]!.heldDocuments))
    }
    checkLedger(world)
  }
  expect(crashes).toBeGreaterThan(seeds / 2)
})

test('a bound on the loss on other text draws what its opening says, by one share a round, whatever dies between any two steps', {
  timeout,
}, async () => {
  const guards = { rules: [{ kind: 'cap' as const, actor: 'colour', subcategory: 'blue', share: 0.25 }] }
  const losses = { otherLoss: (step: number) => 5 + step / 40, controlLoss: () => 5 }
  const bounded = { bound: 1, from: 0, run: 'control', loss: null, fall: null }
  const steered = { rules: [], repetitionsMost: null, fromRound: 2, otherBound: bounded }
  let crashes = 0
  const met = new Set<number>()
  for (let seed = 1; seed <= seeds / 2; seed++) {
    // Of half of the worlds it is part of the run, of the other half somebody steers it.
    const own = { ...selection, guards: { ...guards, other: { bound: 1, from: 0, against: 'control' } } }
    const given = seed % 2 === 0 ? { selection: own } : { selection: { ...selection, guards }, steered }
    // A round that closes by its deadline has other rewards.
    const more = { rewardDeadlineSeconds: 1e9 }
    const { world, openings, manifests } = await played({ seed, faults, more, ...losses, ...given })
    if (seed % 2 === 0) {
      const calm = await played({ seed, faults: noFaults, more, ...losses, ...given })
      for (const [round, manifest] of calm.manifests) {
        const other = [openings.get(round)!.otherText, world.selected(manifests.get(round)!)]
        expect([seed, round, ...other]).toEqual([
          ...[seed, round, calm.openings.get(round)!.otherText, calm.world.selected(manifest)],
        ])
      }
    }
    const since = seed % 2 === 0 ? 0 : [...openings.values()].find((one) => one.steered.length > 0)!.round
    crashes += world.driver.counts.crash
    const configuration = configurationBy(world.run, openings.values())
    for (const [round, { strata }] of manifests) {
      const { otherText } = openings.get(round)!
      expect([seed, round, otherText === null]).toEqual([seed, round, round < since])
      const share = otherText?.share ?? 0
      met.add(share)
      expect(configuration.at(round).selection.guards!.other?.share ?? 0).toBe(share)
      const before = round === 0 ? 1 : (openings.get(round - 1)!.otherText?.share ?? 0)
      if (otherText !== null && otherText.step !== null)
        expect(share).toBe(Math.round(Math.min(1, Math.max(otherText.loss! - 5, before - 0.125)) * 1e6) / 1e6)
      // Of two strata, of blue and of the others, twice as many where there is a natural part.
      expect(strata!.length).toBe(share > 0 ? 4 : 2)
      const taken = strata!.reduce((sum, { documents }) => sum + documents, 0)
      expect(taken).toBeLessThanOrEqual(20)
    }
    const written = world.driver.log
      .records<RoundOpened>(world.topics.consoleState.name)
      .filter(({ record }) => record === 'RoundOpened')
    for (const { value } of written) expect(value).toEqual(openings.get(value.round))
    checkLedger(world)
  }
  expect(met.size).toBeGreaterThan(2)
  expect(crashes).toBeGreaterThan(seeds / 2)
})

test('subcategories become others once, those that stay or are split with their weights, and the log folds to what it has, whatever dies between any two steps', {
  timeout,
}, async () => {
  const part = (subcategory: string) => ({ subcategory, documents: 0 })
  const finer = {
    ...{ actor: 'colour', subcategories: ['cyan', 'navy', 'red', 'grey'], initialWeights: [0, 0, 0, 0.5] },
    mapping: {
      origins: [
        { subcategory: 'cyan', from: [part('blue')] },
        { subcategory: 'navy', from: [part('blue')] },
        { subcategory: 'red', from: [part('red')] },
        { subcategory: 'grey', from: [] },
      ],
      retired: ['green'],
    },
    labelOf: (docId: bigint) => [2, 3, Number(docId % 2n)][subcategoryOf('colour', docId)]!,
  }
  let crashes = 0
  for (let seed = 1; seed <= seeds / 2; seed++) {
    const { world, openings, manifests, joined } = await played({ seed, faults, finer })
    expect([seed, joined.length, joined[0]! >= 1]).toEqual([seed, 1, true])
    crashes += world.driver.counts.crash
    const configuration = configurationBy(world.run, openings.values())
    await expectStatesAsFolded(world, configuration.actorsEver, seed)
    for (const [round, manifest] of manifests)
      expect([seed, round, manifest.weights[1]!.length]).toEqual([seed, round, round < joined[0]! ? 3 : 4])
    const states = world.driver.log.records<ActorState>(world.topics.actorState.name).map(({ value }) => value)
    const first = states.find(({ actor, round }) => actor === 'colour' && round === joined[0])!
    const [red, , blue] = manifests.get(joined[0]! - 1)!.weights[1]!
    const moved = [blue!, blue!, red!, 0.5].map((weight, j) => {
      const reward = first.rewards[j]!
      return reward === null ? weight : 0.5 * weight + 0.5 * reward
    })
    expect([seed, first.weights]).toEqual([seed, moved])
    checkLedger(world)
  }
  expect(crashes).toBeGreaterThan(seeds / 2)
})

/** The states of actors in the log are what their inputs in the log fold to. */
async function expectStatesAsFolded(world: World, actors: Iterable<string>, seed: number): Promise<void> {
  const decided = world.driver.log.records(world.topics.consoleState.name).filter(({ record }) => record !== 'Manifest')
  const inputs = [...decided, ...world.driver.log.records(world.topics.rewards.name)]
  const states = world.driver.log.records<ActorState>(world.topics.actorState.name).map(({ value }) => value)
  for (const actor of actors) {
    const folded = await lastValueFrom(from(inputs).pipe(foldRounds(world.run, actor), toArray()))
    const rounds = new Map(folded.map((state) => [state.round, state.weights]))
    for (const state of states.filter((one) => one.actor === actor))
      expect([seed, actor, state.round, state.weights]).toEqual([seed, actor, state.round, rounds.get(state.round)])
  }
}
