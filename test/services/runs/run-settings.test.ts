import { expect, test } from 'vitest'
import { differencesOf, flat } from '../../../services/runs/run-settings.ts'

test('settings are listed by path with lists whole, and compared except for the name', () => {
  const here = { name: 'a', steps: 10, selection: { actors: { q: { eta: 0.5, weights: [1, 2] } } }, only: null }
  const there = { name: 'b', steps: 10, selection: { actors: { q: { eta: 0.1, weights: [1, 3] } } }, more: 'x' }
  expect([...flat(here)]).toEqual([
    ['name', 'a'],
    ['steps', 10],
    ['selection.actors.q.eta', 0.5],
    ['selection.actors.q.weights', [1, 2]],
    ['only', null],
  ])
  expect(differencesOf(here, there)).toEqual([
    { key: 'selection.actors.q.eta', here: 0.5, there: 0.1 },
    { key: 'selection.actors.q.weights', here: [1, 2], there: [1, 3] },
    { key: 'only', here: null, there: undefined },
    { key: 'more', here: undefined, there: 'x' },
  ])
})
