import { describe, expect, test } from 'vitest'
import { replayRun } from '../../../../services/runs/replay/changes.ts'
import { freeReplayName } from '../../../../services/runs/replay/name.ts'
import { parityRun } from '../../../support/memory-runtime.ts'

const run = parityRun('original')

describe('the run of a replay', () => {
  test('is the recorded one under another name', () => {
    expect(replayRun(run, 'again')).toEqual({ ...run, name: 'again' })
  })

  test('has the changed hyperparameters, also those of a single actor, and everything else unchanged', () => {
    const changed = replayRun(run, 'other', { update: 'additive', actors: { parity: { initialWeights: [1, 0] } } })
    expect(changed.selection).toEqual({
      ...run.selection,
      update: 'additive',
      actors: [{ ...run.selection.actors[0]!, initialWeights: [1, 0] }],
    })
  })

  test.each([
    [{ seed: 4 }, /seed/],
    [{ actors: { parity: { subcategories: ['a', 'b'] } } }, /subcategories/],
    [{ actors: { colour: { eta: 1 } } }, /actors\.colour: the recorded run has no such actor/],
    [{ budget: { documents: 0 } }, /budget\.documents/],
    [{ actors: { parity: { initialWeights: [1] } } }, /has 1 weights for 2 subcategories/],
  ])('refuses %j, on which recorded samples depend or which no run may have', (changes, message) => {
    expect(() => replayRun(run, 'other', changes)).toThrow(message)
    expect(() => replayRun(run, 'other', changes)).toThrow(expect.objectContaining({ code: 'CONFIGURATION' }))
  })
})

test('a replay without a name gets the first free number', () => {
  expect(freeReplayName('a', [])).toBe('a-replay-1')
  expect(freeReplayName('a', ['a-replay-1', 'a-replay-3', 'b-replay-2'])).toBe('a-replay-2')
})
