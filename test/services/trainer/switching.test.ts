import { expect, test } from 'vitest'
import type { RoundAdopted } from '../../../schemas/index.ts'
import { Ready, readyEvery, roundByLag } from '../../../services/trainer/switching.ts'
import type { SwitchMode } from '../../../topologies/run-config.ts'

const runWith = (mode: SwitchMode | undefined) => ({
  ...{ name: 'r', steps: 40, updateSteps: 5 },
  trainer: { batch: 3, switch: mode },
})

test.each([
  { mode: undefined, rounds: [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2] },
  { mode: 'wait' as const, rounds: [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2] },
  { mode: { lag: 1 }, rounds: [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1] },
  { mode: { lag: 4 }, rounds: [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1] },
])('in mode $mode configuration alone says which round a step is trained on', ({ mode, rounds }) => {
  expect(rounds.map((_, step) => roundByLag(runWith(mode), step))).toEqual(rounds)
})

test('only ready looks for itself, every 10 steps unless the run says otherwise', () => {
  const modes = [undefined, 'wait', { lag: 1 }, 'ready', { ready: 3 }] as const
  expect(modes.map((mode) => readyEvery(runWith(mode)))).toEqual([undefined, undefined, undefined, 10, 3])
})

/** The rounds of all steps from `step` on, and what was decided on the way. `newest` says what is selected when a step begins. */
async function trained(newest: (step: number) => number, decided: ReadonlyMap<number, number> = new Map(), from = 0) {
  let step = from
  const records: RoundAdopted[] = []
  const ports = {
    ...{ newest: () => newest(step), decided },
    decide: async (adopted: RoundAdopted) => void records.push(adopted),
  }
  const ready = new Ready(runWith({ ready: 4 }), 4, ports)
  const rounds: number[] = []
  let round = from === 0 ? 0 : ready.before(from)
  for (; step < 40; step++) {
    round = await ready.next(step, round)
    rounds.push(round)
  }
  return { rounds, records }
}

test('in mode ready a round begins N steps after the first multiple of N at which it is there, and the newest of several', async () => {
  // Round 1 is there from step 6 on, 2 from 17, 3 from 18.
  const { rounds, records } = await trained((step) => (step >= 18 ? 3 : step >= 17 ? 2 : step >= 6 ? 1 : 0))
  const expected = [...Array(12).fill(0), ...Array(12).fill(1), ...Array(16).fill(3)]
  expect(rounds).toEqual(expected)
  // One decision for every multiple of N, made N steps before it.
  expect(records.map(({ step, round }) => [step, round])).toEqual(
    [4, 8, 12, 16, 20, 24, 28, 32, 36].map((step) => [step, expected[step]]),
  )
  expect(records[2]).toEqual({
    ...{ run: 'r', round: 1, step: 12, sequenceFirst: 36, previousRound: 0, previousRead: null },
  })
})

test('in mode ready what was decided is kept, from whatever step training goes on, and however much later selections are there', async () => {
  const whole = await trained((step) => Math.floor(step / 7))
  const decided = new Map(whole.records.map(({ step, round }) => [step, round]))
  for (let from = 0; from < 40; from++) {
    const again = await trained(() => 9, decided, from)
    expect(again.rounds).toEqual(whole.rounds.slice(from))
    expect(again.records).toEqual([])
  }
  // Nothing is known of steps for which nothing was decided yet: they are decided now.
  const half = new Map([...decided].filter(([step]) => step <= 20))
  const { rounds, records } = await trained(() => 9, half, 18)
  expect(rounds).toEqual([...whole.rounds.slice(18, 24), ...Array(16).fill(9)])
  expect(records[0]).toMatchObject({ step: 24, round: 9, previousRound: whole.rounds[20] })
})
