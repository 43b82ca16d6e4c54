import { describe, expect, test } from 'vitest'
import { metadataOf } from '../../../../services/runtime/kafka/admin.ts'
import {
  afterHole,
  holeBefore,
  holeInWords,
  holeName,
  holeOutOfRange,
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
    expect(afterHole(hole)).toBe(10)
    expect(holeName(hole)).toBe('t[1]@4-10')
  })

  test('a hole if the topic was created again, whatever its offsets', () => {
    for (const offset of [0, 30, 80]) {
      const hole = holeBefore(place(offset, 'old'), log)!
      expect(hole).toMatchObject({ reason: 'recreated', from: offset, to: 10 })
      expect(afterHole(hole)).toBe(10)
      expect(holeInWords(hole)).toContain('was deleted and recreated')
    }
  })

  test('a hole if a broker says that the offset is past the end', () => {
    const hole = holeOutOfRange(place(70), log)
    expect(hole).toMatchObject({ reason: 'truncated', from: 50, to: 70 })
    expect(afterHole(hole)).toBe(50)
    expect(holeOutOfRange(place(4), log)).toMatchObject({ reason: 'deleted' })
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
})
