import { expect, test, vi } from 'vitest'
import { WinnowError } from '../../../../services/runtime/errors.ts'
import { DamagedBatch } from '../../../../services/runtime/kafka/checked-fetch.ts'
import type { Hole, PartitionLog, Place } from '../../../../services/runtime/kafka/port.ts'
import { Positions } from '../../../../services/runtime/kafka/positions.ts'

type Options = ConstructorParameters<typeof Positions>[0]

/** A member of a group that reads one topic of two partitions, with what it did to its reading. */
function member(options: Partial<Options> = {}) {
  const state = {
    log: { first: 0, stable: 100, end: 100, topicId: 'id' } as Omit<PartitionLog, 'topic' | 'partition'>,
    committed: [] as (Place | null)[],
    ask: async () => {},
    epochEnds: new Map<number, number>(),
  }
  const did: string[] = []
  const failures: unknown[] = []
  const holes: { hole: Hole; signal: AbortSignal; reached: (offset: number) => void; accept: () => void }[] = []
  const onHole = (hole: Hole, signal: AbortSignal, reached: (offset: number) => void) =>
    new Promise<void>((resolve) => holes.push({ hole, signal, reached, accept: resolve }))
  const positions = new Positions(
    { topics: ['t'], isKeptWhole: () => true, onHole, ...options },
    {
      logsOf: async (topic) => {
        await state.ask()
        return [0, 1].map((partition) => ({ topic, partition, ...state.log }))
      },
      topicIdOf: async () => state.log.topicId,
      epochEnd: async (_topic, _partition, leaderEpoch) => state.epochEnds.get(leaderEpoch) ?? null,
      committedPlaces: async () => state.committed,
      seek: (_topic, partition, offset) => void did.push(`seek ${partition} ${offset}`),
      pause: (_topic, partition) => void did.push(`pause ${partition}`),
      resume: (_topic, partition) => void did.push(`resume ${partition}`),
      commit: ({ partition, place }) => void did.push(`commit ${partition} ${place?.offset}`),
      fail: (error) => void failures.push(error),
    },
  )
  const join = async (partitions: readonly number[] = [0]) => {
    positions.join({ t: partitions })
    await Promise.race([
      Promise.all(partitions.map((partition) => positions.of('t', partition)?.settled.promise)),
      vi.waitFor(() => expect(failures).not.toEqual([])),
    ])
  }
  return { state, did, failures, holes, positions, join, placeOf: (p: number) => positions.of('t', p)?.place }
}

const place = (offset: number, topicId: string | null = 'id'): Place => ({ offset, topicId })

test('a member continues from its group’s committed offsets, and from the beginning where none are committed', async () => {
  const { join, state, placeOf, did } = member()
  state.committed = [place(40, null), null]
  await join([0, 1])
  expect([placeOf(0), placeOf(1)]).toEqual([place(40), place(0)])
  expect(did).toEqual(['resume 0', 'resume 1'])
})

test('at a hole its partition is paused and the others are read; once accepted, reading continues past it and commits so', async () => {
  const { join, state, holes, did, placeOf, positions } = member()
  state.log = { ...state.log, first: 30 }
  state.committed = [place(10), place(30)]
  await join([0, 1])
  expect(holes.map(({ hole }) => hole)).toMatchObject([{ partition: 0, reason: 'deleted', from: 10, to: 30 }])
  expect(positions.of('t', 0)?.waiting).toBe(true)
  expect(placeOf(1)).toEqual(place(30))
  did.length = 0
  holes[0]!.accept()
  await vi.waitFor(() => expect(did).toEqual(['seek 0 30', 'resume 0', 'commit 0 30']))
  expect(positions.of('t', 0)).toMatchObject({ waiting: false, place: place(30) })
})

test('a hole accepted after the partition moved to another member has no effect', async () => {
  const { join, state, holes, did } = member()
  state.log = { ...state.log, first: 30 }
  state.committed = [place(10)]
  await join()
  await join([1])
  expect(holes[0]!.signal.aborted).toBe(true)
  did.length = 0
  holes[0]!.accept()
  await new Promise((resolve) => setTimeout(resolve))
  expect(did).toEqual([])
})

test('if state is behind the group, state decides, except for markers after its last record', async () => {
  const floorOffset = vi.fn(async () => 12)
  const { join, state, placeOf, did } = member({ floorOffset })
  state.committed = [{ ...place(14), afterRecord: 12 }]
  await join()
  expect(placeOf(0)).toMatchObject(place(14))
  state.committed = [null, { ...place(20), afterRecord: 19 }]
  await join([1])
  expect(placeOf(1)).toEqual(place(12))
  expect(did).toContain('seek 1 12')
  // It is asked once for a partition that stays.
  await join([1])
  expect(floorOffset).toHaveBeenCalledTimes(2)
})

test('a fetch that skips records is repeated once, and is a hole if it skips them again', async () => {
  const { join, state, positions, did, holes } = member()
  state.committed = [place(10)]
  await join()
  const held = positions.of('t', 0)!
  expect(positions.skips(held, 10)).toBe(false)
  did.length = 0
  expect(positions.skips(held, 15)).toBe(true)
  expect([did, holes]).toEqual([['seek 0 10'], []])
  expect(positions.skips(held, 15)).toBe(true)
  expect(holes.map(({ hole }) => hole)).toMatchObject([{ reason: 'deleted', from: 10, to: 15 }])
})

test('an offset out of range is a hole if the log lost its end, and none if the log has it again', async () => {
  const { join, state, positions, did, holes } = member()
  state.committed = [place(90)]
  await join()
  await positions.outOfRange('t', 0)
  expect([did.at(-1), holes]).toEqual(['seek 0 90', []])
  state.log = { ...state.log, stable: 70, end: 70 }
  await positions.outOfRange('t', 0)
  expect(holes.map(({ hole }) => hole)).toMatchObject([{ reason: 'truncated', from: 70, to: 90 }])
  holes[0]!.accept()
  await vi.waitFor(() => expect(positions.of('t', 0)?.place).toEqual(place(70)))
})

test('a damaged batch is a hole if somebody can be asked, otherwise an error', async () => {
  const damage = new DamagedBatch('t', 0, 40, { offset: '38', offsetNext: '45', why: 'its checksum is wrong' })
  const asking = member()
  asking.state.committed = [place(40)]
  await asking.join()
  asking.did.length = 0
  await asking.positions.damaged(damage)
  // Asked for again before the pause took effect.
  await asking.positions.damaged(damage)
  expect(asking.holes.map(({ hole }) => hole)).toEqual([
    { topic: 't', partition: 0, topicId: 'id', reason: 'damaged', from: 40, to: 45 },
  ])
  expect(asking.did).toEqual(['pause 0'])
  asking.holes[0]!.accept()
  await vi.waitFor(() => expect(asking.did).toEqual(['pause 0', 'seek 0 45', 'resume 0', 'commit 0 45']))

  const alone = member({ onHole: undefined } as object)
  await alone.join()
  await alone.positions.damaged(damage)
  expect(alone.failures).toEqual([damage])
})

test('what is reached within a hole is committed, and where the next member finds the hole to begin', async () => {
  const { join, state, did, holes } = member()
  state.committed = [place(5)]
  state.log = { ...state.log, first: 40 }
  await join()
  expect(holes.map(({ hole }) => hole)).toMatchObject([{ reason: 'deleted', from: 5, to: 40 }])
  holes[0]!.reached(20)
  expect(did).toEqual(['resume 0', 'pause 0', 'commit 0 20'])
  state.committed = [place(20)]
  await join()
  expect(holes.at(-1)!.hole).toMatchObject({ from: 20, to: 40 })
  const before = [...did]
  // Of the assignment that is over.
  holes[0]!.reached(30)
  expect(did).toEqual(before)
})

test('a topic created again while it is read is detected by its id', async () => {
  const { join, state, positions, holes } = member()
  state.committed = [place(90)]
  await join()
  await positions.lookAgain()
  expect(holes).toEqual([])
  state.log = { ...state.log, topicId: 'other' }
  await positions.lookAgain()
  await positions.lookAgain()
  expect(holes.map(({ hole }) => hole)).toMatchObject([{ reason: 'recreated', topicId: 'other', from: 90, to: 0 }])
})

test('a log that lost its end and grew past the place is a hole when a member joins; accepted, it is read from where it differs', async () => {
  const { join, state, placeOf, holes, did } = member()
  state.epochEnds.set(3, 60).set(4, 95)
  state.committed = [
    { ...place(90), afterRecord: 89, leaderEpoch: 3 },
    { ...place(90), afterRecord: 89, leaderEpoch: 4 },
  ]
  await join([0, 1])
  expect(holes.map(({ hole }) => hole)).toMatchObject([{ partition: 0, reason: 'truncated', from: 60, to: 90 }])
  expect(placeOf(1)).toMatchObject({ offset: 90, leaderEpoch: 4 })
  holes[0]!.accept()
  await vi.waitFor(() => expect(did).toContain('commit 0 60'))
  expect(placeOf(0)).toEqual(place(60))
})

test('records of a new leader are delivered only if it had those read before', async () => {
  const onPlace = vi.fn(async () => {})
  const { join, state, positions, holes } = member({ onPlace })
  state.committed = [place(40)]
  await join()
  const held = positions.of('t', 0)!
  expect(await positions.follows(held, { first: 1, last: 1 })).toBe(true)
  positions.advance(held, 50, { afterRecord: 49, leaderEpoch: 1 })
  expect(await positions.follows(held, { first: 1, last: 1 })).toBe(true)
  expect(onPlace.mock.calls).toEqual([
    ['t', 0, place(40)],
    ['t', 0, { ...place(40), leaderEpoch: 1 }],
  ])
  // Its successor had everything; the next change of leaders is within a batch.
  state.epochEnds.set(1, 50)
  expect(await positions.follows(held, { first: 2, last: 3 })).toBe(true)
  expect(onPlace.mock.lastCall).toEqual(['t', 0, { offset: 50, topicId: 'id', afterRecord: 49, leaderEpoch: 3 }])
  positions.advance(held, 60, { afterRecord: 60, leaderEpoch: 3 })
  state.epochEnds.set(3, 55)
  expect(await positions.follows(held, { first: 4, last: 4 })).toBe(false)
  expect(holes.map(({ hole }) => hole)).toMatchObject([{ reason: 'truncated', from: 55, to: 60 }])
})

test('where the group does not say of which topic its place is, what is recorded of the reader decides', async () => {
  const recorded = vi.fn((): Place => ({ offset: 70, topicId: 'old', afterRecord: 70, leaderEpoch: 2 }))
  const { join, state, holes, placeOf } = member({ recorded, startOffset: () => 30 })
  await join()
  expect(holes.map(({ hole }) => hole)).toMatchObject([{ reason: 'recreated', topicId: 'id', from: 70, to: 0 }])
  holes[0]!.accept()
  await vi.waitFor(() => expect(placeOf(0)).toEqual(place(0)))

  // The same topic, which lost records that the reader's own state has seen.
  const other = member({ recorded: () => ({ ...place(5), leaderEpoch: 2 }), startOffset: () => 30 })
  other.state.epochEnds.set(2, 29)
  await other.join()
  expect(other.holes.map(({ hole }) => hole)).toMatchObject([{ reason: 'truncated', from: 29, to: 30 }])

  // A group that knows its topic knows better.
  const grouped = member({ recorded })
  grouped.state.committed = [place(40)]
  await grouped.join()
  expect([grouped.holes, grouped.placeOf(0)]).toEqual([[], place(40)])
  expect(state.committed).toEqual([])
})

test('an unreachable broker is waited for, and any other error ends the read', async () => {
  const { join, state, placeOf, failures } = member()
  let asked = 0
  state.ask = async () => {
    if (++asked < 3) throw new WinnowError('UNREACHABLE', 'away')
  }
  await join()
  expect([placeOf(0), asked]).toEqual([place(0), 3])
  state.ask = async () => {
    throw new WinnowError('CONFIGURATION', 'no permission')
  }
  await join()
  expect(failures).toMatchObject([{ code: 'CONFIGURATION' }])
})
