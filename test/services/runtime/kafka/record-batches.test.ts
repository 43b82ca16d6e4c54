import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import '../../../../services/runtime/kafka/compression.ts'
import { decodeBatches } from '../../../../services/runtime/kafka/record-batches.ts'

interface Encoded {
  readonly buffer: Buffer
}
const require = createRequire(import.meta.url)
const RecordBatch: (batch: object) => Promise<Encoded> =
  require('kafkajs/src/protocol/recordBatch/v0/index.js').RecordBatch
const Record: (record: object) => object = require('kafkajs/src/protocol/recordBatch/record/v0/index.js')

async function batch(firstOffset: number, texts: readonly string[], compression = 0): Promise<Buffer> {
  const records = texts.map((value, offsetDelta) =>
    Record({ key: null, value, headers: {}, offsetDelta, timestampDelta: 0 }),
  )
  const { buffer } = await RecordBatch({ firstOffset, records, compression, lastOffsetDelta: texts.length - 1 })
  return buffer
}

const offsets = (records: readonly { offset: number }[]) => records.map(({ offset }) => offset)
const textOf = (record: unknown) => (record as { value: Buffer }).value.toString()

test('batches are decoded in order, plain and compressed, and the last may be truncated', async () => {
  const [first, second] = [await batch(0, ['a', 'b']), await batch(2, ['c', 'd', 'e'], 1)]
  const bytes = Buffer.concat([first, second])
  const records = await decodeBatches(bytes)
  expect(records.map(textOf)).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(offsets(records)).toEqual([0, 1, 2, 3, 4])
  expect(records.damage).toBeUndefined()
  for (let end = first.length; end < bytes.length; end++) {
    const part = await decodeBatches(bytes.subarray(0, end))
    expect(part.map(textOf)).toEqual(['a', 'b'])
    expect(part.damage).toBeUndefined()
  }
})

test('a changed byte anywhere in or after the checksum is detected, and nothing of its batch is returned', async () => {
  for (const compression of [0, 1]) {
    const good = await batch(0, ['a', 'b'])
    const bad = await batch(2, ['some text of a document'], compression)
    for (let at = 16; at < bad.length; at++) {
      const changed = Buffer.from(bad)
      changed[at]! ^= 1
      const records = await decodeBatches(Buffer.concat([good, changed, await batch(3, ['after it'])]))
      expect(records.map(textOf), `byte ${at}`).toEqual(['a', 'b'])
      expect(records.damage?.offset).toBe('2')
    }
  }
})

test('the offset after a damaged batch is reported, and never skips an intact record', async () => {
  const [bad, after] = [await batch(2, ['a', 'b', 'c']), await batch(9, ['after it'])]
  const nextOf = async (at: number, rest: Buffer) => {
    const changed = Buffer.from(bad)
    changed[at]! ^= 0x40
    return (await decodeBatches(Buffer.concat([changed, rest]))).damage?.offsetNext
  }
  const [length, lastOffsetDelta, count, records] = [8, 23, 57, 70]
  for (const at of [lastOffsetDelta, count, records]) expect(await nextOf(at, after), `byte ${at}`).toBe('9')
  // What follows is not there yet, cut off, or damaged itself: the header says how many records it has, in two places.
  const torn = Buffer.from(after)
  torn[torn.length - 1]! ^= 1
  for (const rest of [Buffer.alloc(0), after.subarray(0, 70), torn]) expect(await nextOf(records, rest)).toBe('5')
  expect(await nextOf(length, Buffer.alloc(0))).toBe('5')
  for (const at of [lastOffsetDelta, count]) expect(await nextOf(at, Buffer.alloc(0)), `byte ${at}`).toBe('3')
})

test('impossible lengths are damage, not a batch that is still incomplete', async () => {
  for (const length of [-1, 0, 48, 2 ** 31 - 1]) {
    const bytes = await batch(7, ['a'])
    bytes.writeInt32BE(length, 8)
    expect((await decodeBatches(bytes)).damage, `${length}`).toMatchObject({ offset: '7' })
  }
})

test('a batch with a valid checksum but bad compressed records says so', async () => {
  const bytes = await batch(5, ['a'])
  const { crc32c } = await import('@node-rs/crc32')
  bytes.writeInt16BE(4, 21)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  const { damage } = await decodeBatches(bytes)
  expect(damage?.offset).toBe('5')
  expect(damage?.why).toContain('cannot be unpacked')
})

test('a batch of a hundred and fifty thousand records is decoded', async () => {
  const records = await decodeBatches(
    await batch(
      0,
      Array.from({ length: 150_000 }, () => ''),
    ),
  )
  expect(records).toHaveLength(150_000)
}, 60_000)
