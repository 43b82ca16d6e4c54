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

describe('before a place there is', () => {
  test('no hole while the log has its offset, or its end', () => {
    for (const offset of [10, 11, 50]) expect(holeBefore(place(offset), log)).toBeUndefined()
    expect(holeBefore(place(10, null), log)).toBeUndefined()
    expect(holeBefore(place(10), { ...log, topicId: null })).toBeUndefined()
  })

  test('a hole where the records from there on are deleted', () => {
    const hole = holeBefore(place(4), log)!
    expect(hole).toEqual({ topic: 't', partition: 1, topicId: 'new', reason: 'deleted', from: 4, to: 10 })
    expect(afterHole(hole)).toBe(10)
    expect(holeName(hole)).toBe('t[1]@4-10')
  })

  test('a hole where the topic is another one, whatever its offsets are', () => {
    for (const offset of [0, 30, 80]) {
      const hole = holeBefore(place(offset, 'old'), log)!
      expect(hole).toMatchObject({ reason: 'recreated', from: offset, to: 10 })
      expect(afterHole(hole)).toBe(10)
      expect(holeInWords(hole)).toContain('was deleted and recreated')
    }
  })

  test('a hole where a broker says that the place lies behind the end', () => {
    const hole = holeOutOfRange(place(70), log)
    expect(hole).toMatchObject({ reason: 'truncated', from: 50, to: 70 })
    expect(afterHole(hole)).toBe(50)
    expect(holeOutOfRange(place(4), log)).toMatchObject({ reason: 'deleted' })
  })
})

test('state is behind a place where a record stands between them, not where a marker does', () => {
  expect(isBehind(13, { ...place(14), afterRecord: 13 })).toBe(false)
  expect(isBehind(12, { ...place(14), afterRecord: 13 })).toBe(true)
  // Who committed did not say.
  expect(isBehind(13, place(14))).toBe(true)
  expect(isBehind(14, place(14))).toBe(false)
})

test('what is committed with an offset names the topic and the last record', () => {
  expect(metadataOf({ offset: 14, topicId: 'kC7LQ2T1T_ujGxDAHhIF4g', afterRecord: 13 })).toBe(
    'kC7LQ2T1T_ujGxDAHhIF4g/13',
  )
  expect(metadataOf(place(14, null))).toBe('/')
})
