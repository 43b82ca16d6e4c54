import { describe, expect, test } from 'vitest'
import { documents } from '../loop.ts'
import { all, building, byPrediction, meanReward, played, relabelling, versionsOf, want } from './world.ts'

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
