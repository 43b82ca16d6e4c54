import { expect, test } from 'vitest'
import { StationWatch } from '../../../services/board/stations.ts'
import type { ConsumerGroup } from '../../../services/runtime/kafka/port.ts'
import { testRun } from '../../support/run.ts'

const run = testRun('r')
const group = (groupId: string, members = 1): ConsumerGroup => ({
  groupId,
  state: 'Stable',
  members: Array.from({ length: members }, (_, i) => ({ client: `c${i}`, host: '/127.0.0.1', assigned: {} })),
})
const requests = 'winnow.run.r.reward-requests'
const look = (watch: StationWatch, atMs: number, groups: ConsumerGroup[], behind = 0) =>
  watch.look(atMs, {
    runs: [run],
    groups,
    ends: new Map([[requests, [50, 50]]]),
    lag: [{ run: 'r', station: 'influence', topic: requests, partitions: [behind, 0], oldestMs: null }],
  })
const stationOf = (activity: ReturnType<typeof look>, name: string) => activity.find(({ station }) => station === name)

test('members of a station are counted over the groups of all its instances, without those of a run with a longer name', () => {
  const groups = [
    group('winnow.r.influence', 2),
    group('winnow.r.trainer.f00'),
    group('winnow.r.trainer.f01'),
    group('winnow.r2.console'),
  ]
  const activity = look(new StationWatch(), 0, groups)
  expect(stationOf(activity, 'influence')).toMatchObject({ run: 'r', members: 2, lastSeenMs: null })
  expect(stationOf(activity, 'trainer')).toMatchObject({ members: 2 })
  expect(stationOf(activity, 'console')).toMatchObject({ members: 0, lastSeenMs: null })
  expect(stationOf(activity, 'label sink')).toMatchObject({ run: null, members: 0 })
  expect(stationOf(activity, 'ingest')).toBeUndefined()
})

test('a station without members shows when one was last seen', () => {
  const watch = new StationWatch()
  look(watch, 1000, [group('winnow.r.influence')])
  look(watch, 2000, [])
  expect(stationOf(look(watch, 9000, []), 'influence')).toMatchObject({ members: 0, lastSeenMs: 1000 })
})

test('a station’s rate is what it commits, not what others write', () => {
  const watch = new StationWatch()
  expect(stationOf(look(watch, 0, [], 40), 'influence')?.perSecond).toBeNull()
  expect(stationOf(look(watch, 2000, [], 10), 'influence')?.perSecond).toBe(15)
})

test('who compares documents with evaluation sets is shown where there are sets', () => {
  const groups = [group('winnow.decontamination-v1', 2)]
  const of = (evalSets?: string) =>
    stationOf(
      new StationWatch().look(0, { runs: [run], evalSets, groups, ends: new Map(), lag: [] }),
      'decontamination',
    )
  expect(of('v1')).toMatchObject({ run: null, members: 2 })
  expect(of('v2')).toMatchObject({ members: 0 })
  expect(of()).toBeUndefined()
})
