import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { WinnowError } from '../../../../services/runtime/errors.ts'
import { maxRecordBytes, packingOf, recordBytes } from '../../../../services/runtime/kafka/record-size.ts'
import { sentRanges, split } from '../../../../services/runtime/kafka/split.ts'
import type { RecordMetadata } from '../../../../topologies/node.ts'

/** Bytes that no compression makes shorter. */
const record = (bytes: number, key: string | null = null) => ({ topic: 'a', key, value: noise.subarray(0, bytes) })
const noise = randomBytes(3 * 1024 * 1024)

test('a record of exactly the size limit passes; one byte more is refused with topic, key and size', () => {
  expect(maxRecordBytes).toBe(1_048_588 - 61 - 27)
  expect(split([record(maxRecordBytes - 4, '1234')])).toHaveLength(1)
  expect(() => split([record(1), record(maxRecordBytes - 3, '1234')])).toThrow(
    expect.objectContaining({
      code: 'BAD_DATA',
      message: `A record with key "1234" for topic a has 1048501 bytes; its messages may have 1048588, compressed.`,
    }),
  )
  expect(() => split([record(maxRecordBytes + 1)])).toThrow(WinnowError)
})

test('a larger record is sent alone: as it is if its topic allows it, or compressed if that makes it fit', () => {
  const text = { topic: 'a', key: 'k', value: Buffer.from('a word or two, '.repeat(200_000)) }
  expect(split([record(1), text, record(2), record(3)])).toEqual([
    { records: [record(1)], compressed: false },
    { records: [text], compressed: true },
    { records: [record(2), record(3)], compressed: false },
  ])
  const limits = new Map([['a', 4_000_000]])
  expect(split([record(1), record(3_000_000)], limits)).toEqual([
    { records: [record(1)], compressed: false },
    { records: [record(3_000_000)], compressed: false },
  ])
  expect(split([{ ...text, value: Buffer.from('a word or two, '.repeat(300_000)) }], limits)).toMatchObject([
    { compressed: true },
  ])
  expect(packingOf(record(2_000_000), 1_500_000)).toBe('too-large')
  expect(packingOf({ ...record(1), value: null, key: 'k'.repeat(2_000_000) }, 1_500_000)).toBe('too-large')
})

test('keys count in UTF-8 bytes, and a missing value counts as nothing', () => {
  expect(recordBytes({ topic: 'a', key: 'äß€', value: null })).toBe(2 + 2 + 3)
  expect(recordBytes({ topic: 'a', key: null, value: new Uint8Array(3) })).toBe(3)
})

test('records stay in order, and no part exceeds the batch limit', () => {
  const records = Array.from({ length: 30 }, (_, i) => record(100_000 + i))
  const pieces = split(records)
  expect(pieces.flatMap(({ records }) => records)).toEqual(records)
  expect(pieces.some(({ compressed }) => compressed)).toBe(false)
  // 10 records of 100,000 bytes with 27 each fit into 1,048,527, an 11th does not.
  expect(pieces.map(({ records }) => records.length)).toEqual([10, 10, 10])
  expect(split([])).toEqual([])
})

test('two records of half the limit do not share a part if their headers do not fit', () => {
  expect(split([record(maxRecordBytes / 2), record(maxRecordBytes / 2)])).toHaveLength(2)
  expect(split([record(maxRecordBytes / 2), record(maxRecordBytes / 2 - 27)])).toHaveLength(1)
})

test('many small records are split by count', () => {
  const pieces = split(Array.from({ length: 4500 }, () => record(1)))
  expect(pieces.map(({ records }) => records.length)).toEqual([1000, 1000, 1000, 1000, 500])
})

test('offset ranges of consecutive requests are joined if nothing came between', () => {
  const ranges: RecordMetadata[] = []
  const sent = (partitions: number[]) => [{ topic: 'a', messages: partitions.map((partition) => ({ partition })) }]
  sentRanges(
    sent([0, 1, 0]),
    [
      { topicName: 'a', partition: 0, baseOffset: '10' },
      { topicName: 'a', partition: 1, baseOffset: '5' },
    ],
    ranges,
  )
  sentRanges(
    sent([0, 1]),
    [
      { topicName: 'a', partition: 0, baseOffset: '12' },
      { topicName: 'a', partition: 1, baseOffset: '9' },
    ],
    ranges,
  )
  expect(ranges).toEqual([
    { topic: 'a', partition: 0, offsetFirst: 10, count: 3 },
    { topic: 'a', partition: 1, offsetFirst: 5, count: 1 },
    { topic: 'a', partition: 1, offsetFirst: 9, count: 1 },
  ])
})

test('a response that omits a partition or repeats one is rejected', () => {
  const asked = [{ topic: 'a', messages: [{ partition: 0 }, { partition: 1 }, { partition: 0 }] }]
  const answer = (partition: number) => ({ topicName: 'a', partition, baseOffset: '1' })
  expect(() => sentRanges(asked, [answer(0)], [])).toThrow('no answer for a[1]')
  expect(() => sentRanges(asked, [answer(0), answer(1), answer(0)], [])).toThrow('more than one answer')
})
