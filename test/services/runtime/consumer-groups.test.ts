import { expect, test } from 'vitest'
import { consumerGroupOf } from '../../../services/runtime/consumer-groups.ts'
import { dataflow, edgeStations } from '../../../topologies/dataflow.ts'
import { testRun } from '../../support/run.ts'

test('groups keep the names under which deployed systems have committed offsets', () => {
  const run = testRun('r')
  const groups = [...dataflow(run), ...edgeStations(run)].map((station) =>
    consumerGroupOf(station, { run: run.name, versions: run.labelers }),
  )
  const [actor] = run.selection.actors.map(({ name }) => name)
  expect(groups).toEqual(
    expect.arrayContaining([
      `winnow.labeler-${actor}-${run.labelers[actor!]}`,
      'winnow.label-sink',
      'winnow.r.influence',
      `winnow.r.actor-${actor}`,
      'winnow.r.console',
      'winnow.ingest',
      'winnow.r.trainer',
    ]),
  )
  expect(new Set(groups).size).toBe(groups.length)
})

test('a group cannot be named without the actor, version or run that distinguishes it', () => {
  expect(() => consumerGroupOf({ kind: 'labeler', actor: 'a' }, {})).toThrow(/version of a/)
  expect(() => consumerGroupOf({ kind: 'console' }, {})).toThrow(/run/)
})
