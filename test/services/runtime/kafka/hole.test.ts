import { describe, expect, test, vi } from 'vitest'
import { metadataOf } from '../../../../services/runtime/kafka/admin.ts'
import {
  afterHole,
  holeBefore,
  holeInWords,
  holeName,
  holeOutOfRange,
  holeSince,
  isBehind,
} from '../../../../services/runtime/kafka/hole.ts'

const log = { topic: 't', partition: 1, topicId: 'new', first: 10, stable: 40, end: 50 }
const place = (offset: number, topicId: string | null = 'new') => ({ offset, topicId })

describe('there is', () => {
  test('no hole while the log still has the offset, or ends at it', () => {
    for (const offset of [10, 11, 50]) expect(holeBefore(place(offset), log)).toBeUndefined()
    expect(holeBefore(place(10, null), log)).toBeUndefined()
    expect(holeBefore(place(10), { ...log, topicId: null })).toBeUndefined()
  })

  test('a hole if the records from that offset on were deleted', () => {
    const hole = holeBefore(place(4), log)!
    expect(hole).toEqual({ topic: 't', partition: 1, topicId: 'new', reason: 'deleted', from: 4, to: 10 })
    expect(afterHole(hole, 4)).toBe(10)
    expect(holeName(hole)).toBe('t[1]@4-10')
  })

  test('a hole if the topic was created again, whatever its offsets', () => {
    for (const offset of [0, 30, 80]) {
      const hole = holeBefore(place(offset, 'old'), log)!
      expect(hole).toMatchObject({ reason: 'recreated', from: offset, to: 10 })
      expect(afterHole(hole, offset)).toBe(10)
      expect(holeInWords(hole)).toContain('was deleted and recreated')
    }
  })

  test('a hole if a broker says that the offset is past the end', () => {
    const hole = holeOutOfRange(place(70), log)
    expect(hole).toMatchObject({ reason: 'truncated', from: 50, to: 70 })
    expect(afterHole(hole, 70)).toBe(50)
    // A reader that does not go on from there, but from earlier.
    expect(afterHole(hole, 0)).toBe(0)
    expect(holeOutOfRange(place(4), log)).toMatchObject({ reason: 'deleted' })
  })
})

describe('a log that grew again after it had lost its end', () => {
  const read = (leaderEpoch?: number, afterRecord = 44) => ({
    ...place(46),
    afterRecord,
    ...(leaderEpoch !== undefined && { leaderEpoch }),
  })
  const ends: Record<number, number | null> = { 3: 44, 4: 30, 5: -1, 6: null, 7: 45 }
  const epochEnd = vi.fn(async (_topic: string, _partition: number, leaderEpoch: number) => ends[leaderEpoch] ?? null)

  test.each([
    ['the epoch of the last record ends behind it, markers or not', 3, undefined],
    ['it ends even later', 7, undefined],
    ['the broker cannot tell', 6, undefined],
    ['the epoch is not known', undefined, undefined],
    ["it ends before the last record: what follows is another leader's", 4, { reason: 'truncated', from: 30, to: 46 }],
    ['the leader does not know that epoch', 5, { reason: 'truncated', from: 10, to: 46 }],
  ] as const)('%s', async (_, leaderEpoch, hole) => {
    const found = await holeSince(read(leaderEpoch), log, epochEnd)
    if (hole === undefined) expect(found).toBeUndefined()
    else expect(found).toEqual({ topic: 't', partition: 1, topicId: 'new', ...hole })
  })

  test('is not asked for where nothing was read, or where the topic is another one', async () => {
    epochEnd.mockClear()
    expect(await holeSince({ ...place(0), leaderEpoch: 4 }, log, epochEnd)).toBeUndefined()
    expect(await holeSince({ ...read(4), topicId: 'old' }, log, epochEnd)).toMatchObject({ reason: 'recreated' })
    // Deleted records are another matter: what is recorded of a reader is no position.
    expect(await holeSince({ ...read(3), offset: 2 }, log, epochEnd)).toBeUndefined()
    expect(epochEnd).toHaveBeenCalledTimes(1)
  })
})

test('state is behind an offset if a record lies between them, but not if only markers do', () => {
  expect(isBehind(13, { ...place(14), afterRecord: 13 })).toBe(false)
  expect(isBehind(12, { ...place(14), afterRecord: 13 })).toBe(true)
  // Who committed did not say.
  expect(isBehind(13, place(14))).toBe(true)
  expect(isBehind(14, place(14))).toBe(false)
})

test('the metadata of a committed offset names the topic id and the last record', () => {
  expect(metadataOf({ offset: 14, topicId: 'kC7LQ2T1T_ujGxDAHhIF4g', afterRecord: 13 })).toBe(
    'kC7LQ2T1T_ujGxDAHhIF4g/13',
  )
  expect(metadataOf(place(14, null))).toBe('/')
  expect(metadataOf({ ...place(14, null), afterRecord: 13, leaderEpoch: 0 })).toBe('/13/0')
})
