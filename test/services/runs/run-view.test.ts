import { expect, test } from 'vitest'
import type { ActorChange, Manifest, Progress, RoundOpened } from '../../../schemas/index.ts'
import { ascending, RunView } from '../../../services/runs/run-view.ts'

const report = (step: number, more: Partial<Progress> = {}) => ({
  record: 'Progress',
  value: { step, trainLoss: null, referenceLoss: null, corpusLoss: null, ...more } as Progress,
})
const opening = (round: number) => ({
  record: 'RoundOpened',
  value: { round, samples: [{ actor: 'a', docIds: [1n] }] } as unknown as RoundOpened,
})

test('a step that is reported twice counts once, and combines both reports', () => {
  const view = new RunView()
  view.apply(report(10, { trainLoss: 3, referenceLoss: 5, position: 1 }))
  view.apply(report(10, { corpusLoss: 7, position: 2 }))
  expect(ascending(view.progress)).toEqual([{ step: 10, trainLoss: 3, referenceLoss: 5, corpusLoss: 7, position: 2 }])
})

test('the latest state follows round and step, in whatever order records arrive', () => {
  const view = new RunView()
  for (const step of [20, 0, 10]) view.apply(report(step, step < 20 ? { trainLoss: step } : {}))
  for (const round of [1, 2, 0]) view.apply({ record: 'Manifest', value: { round } as Manifest })
  expect(view.lastReport?.step).toBe(20)
  expect(view.lastWith('trainLoss')?.step).toBe(10)
  expect(view.lastWith('referenceLoss')).toBeUndefined()
  expect(view.lastManifest?.round).toBe(2)
  expect(view.lastOpened).toBeUndefined()
})

test('when limits are reached, old rounds are dropped first, then requests of older ones and reports without an evaluation', () => {
  const view = new RunView({ rounds: 3, sampledRounds: 1, steps: 4 })
  for (let round = 0; round < 5; round++) view.apply(opening(round))
  expect(ascending(view.opened).map(({ round, samples }) => [round, samples.length])).toEqual([
    [2, 0],
    [3, 0],
    [4, 1],
  ])
  for (let step = 0; step < 9; step++) view.apply(report(step, step === 1 ? { referenceLoss: 1 } : { trainLoss: 1 }))
  expect(view.progress.size).toBeLessThanOrEqual(4)
  expect(view.progress.has(1)).toBe(true)
  expect(view.lastReport?.step).toBe(8)
})

test('a round has the labels of its stage, and the offsets of these labels, whatever is read first', () => {
  const change = { id: 'c', kind: 'relabel', actor: 'a' } as ActorChange
  const opened = { ...opening(1), value: { ...opening(1).value, changes: [], labelOffsets: [] } }
  const labelOffsets = [{ topic: 'winnow.labels.a', partition: 0, offsetNext: 7 }] as never
  const relabelled = { record: 'RoundRelabelled', value: { run: 'r', round: 1, change, labelOffsets } }
  for (const records of [
    [opened, relabelled],
    [relabelled, opened],
    [opened, relabelled, opened, relabelled],
  ]) {
    const view = new RunView()
    for (const record of records) view.apply(record)
    expect(view.lastOpened).toMatchObject({ changes: [change], labelOffsets })
  }
  const without = new RunView()
  for (const record of [opened, { ...relabelled, value: { ...relabelled.value, change: null } }]) without.apply(record)
  expect(without.lastOpened).toEqual(opened.value)
  expect(without.relabelled.get(1)?.change).toBeNull()
})
