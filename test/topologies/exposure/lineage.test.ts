import { expect, test } from 'vitest'
import type { RoundAdopted, RoundOpened } from '../../../schemas/index.ts'
import { lineageOf } from '../../../topologies/exposure/lineage.ts'

const opened = (
  round: number,
  step: number,
  previousRead: number | null,
  reads: RoundOpened['reads'] = [],
): RoundOpened => ({
  ...{ run: 'a', round, step, checkpointPath: null, checkpointDigest: null, previousRead, labelOffsets: [] },
  ...{ samples: [], deadlineMs: null, changes: [], promoted: null, steered: [], reads, otherText: null },
})
const adopted = (round: number, step: number, previous: [round: number, read: number | null] | null): RoundAdopted => ({
  ...{ run: 'a', round, step, sequenceFirst: 0 },
  ...{ previousRound: previous?.[0] ?? null, previousRead: previous?.[1] ?? null },
})
const short = (...of: Parameters<typeof lineageOf>) =>
  lineageOf(...of).map(({ round, read, stepFirst, stepLast }) => [round, read, stepFirst, stepLast])

test('mode wait: each round to its end, the last one to the report', () => {
  const training = {
    opened: [opened(0, 0, null), opened(1, 10, 80), opened(2, 20, 95)],
    adopted: [adopted(0, 0, null), adopted(1, 10, [0, 80]), adopted(2, 20, [1, 95])],
  }
  expect(short(training, { round: 2, position: 7, step: 23 })).toEqual([
    [0, 80, 0, 10],
    [1, 95, 10, 20],
    [2, 7, 20, 23],
  ])
  // The report of step 20 is of round 1, also where the trainer has gone on since.
  expect(short(training, { round: 1, position: 95, step: 20 })).toEqual([
    [0, 80, 0, 10],
    [1, 95, 10, 20],
  ])
  expect(short(training, { round: 0, position: 30, step: 4 })).toEqual([[0, 30, 0, 4]])
})

test('a trainer that records no beginnings is in mode wait: the openings say what was read', () => {
  const training = { opened: [opened(0, 0, null), opened(1, 10, 80), opened(2, 20, null)], adopted: [] }
  expect(short(training, { round: 2, position: 7, step: 23 })).toEqual([
    [0, 80, 0, 10],
    [1, null, 10, 20],
    [2, 7, 20, 23],
  ])
})

test('modes lag and ready: what was read after the opening counts; a round that was passed over was not read', () => {
  const training = {
    opened: [opened(0, 0, null), opened(1, 10, 80), opened(2, 20, 0, [{ round: 0, read: 160 }]), opened(3, 30, 5)],
    adopted: [
      ...[adopted(0, 0, null), adopted(0, 10, [0, null]), adopted(2, 25, [0, null])],
      ...[adopted(2, 25, [0, 200]), adopted(3, 35, [2, null]), adopted(3, 35, [2, 40])],
    ],
  }
  expect(short(training, { round: 3, position: 3, step: 36 })).toEqual([
    [0, 200, 0, 25],
    [2, 40, 25, 35],
    [3, 3, 35, 36],
  ])
  expect(short(training, { round: 2, position: 12, step: 30 })).toEqual([
    [0, 200, 0, 25],
    [2, 12, 25, 30],
  ])
})

test('a training that went back to a checkpoint reads the same again: repeated records change nothing', () => {
  const once = [adopted(0, 0, null), adopted(1, 10, [0, 80])]
  const training = { opened: [opened(0, 0, null), opened(1, 10, 80)], adopted: [...once, ...once] }
  expect(short(training, { round: 1, position: 7, step: 13 })).toEqual([
    [0, 80, 0, 10],
    [1, 7, 10, 13],
  ])
})
