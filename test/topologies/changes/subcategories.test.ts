import { from, lastValueFrom, toArray } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { type ActorChange, runTopics, Steering, type SubcategoryMapping } from '../../../schemas/index.ts'
import { foldRounds } from '../../../topologies/actor.ts'
import { Configuration } from '../../../topologies/rounds/configuration.ts'
import { splitmix64 } from '../../../topologies/selection/u64.ts'
import type { Act } from '../../support/drive.ts'
import { subcategoryOf, tinyRun } from '../loop.ts'
import { added, all, building, everySelection, joined, openings, played, relabelling, states, want } from './world.ts'

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
