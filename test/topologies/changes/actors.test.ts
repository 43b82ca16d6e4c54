import { describe, expect, test } from 'vitest'
import { actorStation } from '../../../topologies/dataflow.ts'
import {
  actorsOf,
  added,
  all,
  everySelection,
  helpers,
  joined,
  newcomer,
  openings,
  played,
  requestsFor,
  states,
  want,
} from './world.ts'

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
