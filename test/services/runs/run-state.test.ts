import { describe, expect, test } from 'vitest'
import { type Manifest, Progress, RoundClosed, RoundOpened, RoundRelabelled, type Run } from '../../../schemas/index.ts'
import { kindOf, type RunMember, runState } from '../../../services/runs/run-state.ts'
import { RunView } from '../../../services/runs/run-view.ts'
import { isControl } from '../../../topologies/selects-by.ts'
import { testRun } from '../../support/run.ts'

const config = testRun('mine', { updateSteps: 10, steps: 30, labelers: { quality: 'v7' } })
const none: ReadonlySet<RunMember> = new Set()
const all: ReadonlySet<RunMember> = new Set(['console', 'influence', 'trainer'])

const opened = (round: number, asked = 0) =>
  ({
    record: RoundOpened.name,
    value: {
      round,
      samples:
        asked === 0
          ? []
          : [{ actor: 'quality', subcategory: 0, docIds: Array.from({ length: asked }, (_, n) => BigInt(n)) }],
      deadlineMs: asked === 0 ? null : Date.UTC(2026, 0, 1, 12, 3, 4),
    },
  }) as never
const closed = (round: number) => ({ record: RoundClosed.name, value: { round } }) as never
const selected = (round: number) => ({ record: 'Manifest', value: { round } as Manifest }) as never
const reported = (step: number, withCheckpoint = true) =>
  ({ record: Progress.name, value: { step, checkpoint: withCheckpoint ? { step } : null } }) as never

function stateOf(
  records: never[],
  members?: ReadonlySet<RunMember>,
  life: Run['life'] = 'active',
  started = true,
  of = config,
) {
  const view = new RunView()
  for (const record of records) view.apply(record)
  return runState({ record: { life, replayOf: null }, config: of, view, started, ...(members && { members }) })
}

const first = [opened(0), closed(0), selected(0)]
const second = [...first, reported(10), opened(1, 5)]

describe('the state of a run follows from its log', () => {
  test.each([
    ['recorded', [], false],
    ['waiting for labels', [], true],
    ['selecting', [opened(0)], true],
    ['selecting', [opened(0), closed(0)], true],
    ['training', first, true],
    ['training', [...first, reported(5, false)], true],
    ['sampling', [...first, reported(10)], true],
    ['waiting for rewards', second, true],
    ['selecting', [...second, closed(1)], true],
    ['training', [...second, closed(1), selected(1)], true],
    ['done', [...second, closed(1), selected(1), reported(30)], true],
  ] as const)('%s', (state, records, started) => {
    expect(stateOf([...records] as never[], undefined, 'active', started).state).toBe(state)
  })

  test('what a person has asked for outranks what the run is doing, and a run that is done stays done', () => {
    expect(stateOf(second, all, 'paused').state).toBe('paused')
    expect(stateOf(second, all, 'ended').state).toBe('ended')
    expect(stateOf([...first, reported(30)], all, 'ended').state).toBe('done')
    expect(stateOf([...first, reported(30)], all, 'archived').state).toBe('archived')
  })

  test('with stages, a closed round waits for labels that are fitted to its rewards, until they are decided', () => {
    const staged = testRun('mine', { updateSteps: 10, steps: 30, stages: { waitSeconds: 60 } })
    const now = (...more: never[]) => stateOf([...second, closed(1), ...more], all, 'active', true, staged)
    expect(now()).toEqual({
      state: 'waiting for labels',
      waitsFor: 'labels fitted to the rewards of round 1 (winnow mates fit mine), 60 s at most',
    })
    const relabelled = { record: RoundRelabelled.name, value: { round: 1, change: null, labelOffsets: [] } } as never
    expect(now(relabelled).state).toBe('selecting')
    // A round without rewards has no stage.
    expect(stateOf([opened(0), closed(0)], all, 'active', true, staged).state).toBe('selecting')
  })

  test('a waiting run says what it waits for, and which services are missing', () => {
    expect(stateOf([], none, 'active', false).waitsFor).toBe('a start: winnow run start mine')
    expect(stateOf([], all).waitsFor).toBe('documents with labels of all its actors (quality v7)')
    expect(stateOf([], none).waitsFor).toContain('no console is connected: winnow run stations --run mine')
    expect(stateOf(second, all).waitsFor).toBe('answers to 5 requests of round 1, until 12:03:04 UTC at the latest')
    expect(stateOf(second, none).waitsFor).toContain(
      'no influence worker is connected: winnow run influence --run mine',
    )
    expect(stateOf(first, all).waitsFor).toBe('the trainer to report step 10 of 30')
    expect(stateOf(first, none).waitsFor).toContain('the reference trainer is not connected')
    expect(stateOf(second, none, 'paused').waitsFor).toBe('somebody: winnow run resume mine')
  })
})

test('a run that draws at random is a control, and a replay or a shadow names its run', () => {
  const control = testRun('c', { sampleDocuments: 0, selection: { actors: { quality: { initialTheta: 0 } } } })
  const unrewarded = testRun('u', { sampleDocuments: 0 })
  expect([isControl(control), isControl(unrewarded), isControl(config)]).toEqual([true, false, false])
  expect(kindOf({ replayOf: null }, control)).toBe('control')
  expect(kindOf({ replayOf: 'mine' }, control)).toBe('replay of mine')
  expect(kindOf({ replayOf: 'mine' }, { ...config, shadowOf: 'mine' })).toBe('shadow of mine')
  expect(kindOf({ replayOf: null }, unrewarded)).toBe('run')
})
