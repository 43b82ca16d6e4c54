import fc from 'fast-check'
import { expect, test } from 'vitest'
import { array, documentIds, double, int, long, string, u64 } from '../../../schemas/field.ts'
import { Label, SelectionChunk, Sketch } from '../../../schemas/index.ts'
import { record } from '../../../schemas/record.ts'
import { avroType } from '../../../services/runtime/avro.ts'
import { FlatReader } from '../../../services/runtime/flat-avro.ts'
import { FlatWriter } from '../../../services/runtime/flat-writer.ts'

const id = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.nat(64).map((bits) => 2n ** BigInt(bits) - 1n),
)
/** Beyond, avsc rounds some of the negative ones, and the reader leaves them to it. */
const whole = fc.integer({ min: 1 - 2 ** 52, max: 2 ** 52 - 1 })

/** Every kind of field, and columns and lists that are not the last. */
const Flat = record('Flat', '', {
  text: string,
  ids: documentIds,
  wholes: array(long),
  many: long,
  few: int,
  real: double,
  one: u64,
})
const flat = fc.record({
  text: fc.string({ unit: 'grapheme', maxLength: 30 }),
  ids: fc.array(id, { maxLength: 50 }),
  wholes: fc.array(whole, { maxLength: 50 }),
  many: whole,
  few: fc.integer(),
  real: fc.double(),
  one: id,
})

test('writes the bytes that avsc writes, behind the header, and they are read as columns', () => {
  const [type, writer, reader] = [avroType(Flat.avro), FlatWriter.of(Flat)!, FlatReader.of(Flat)!]
  fc.assert(
    fc.property(flat, fc.uint8Array({ maxLength: 6 }), fc.nat(3), (value, header, skipped) => {
      // A column may be a part of a longer one.
      const column = BigUint64Array.from([...Array<bigint>(skipped).fill(7n), ...value.ids]).subarray(skipped)
      const bytes = writer.write({ ...value, ids: column }, header)
      expect(bytes).toEqual(Buffer.concat([header, type.toBuffer(value)]))
      expect(reader.read(bytes, header.length)).toEqual({ ...value, ids: BigUint64Array.from(value.ids) })
    }),
  )
})

test('a column in several blocks, or with its length in bytes, is left to avsc', () => {
  const reader = FlatReader.of(SelectionChunk)!
  const writer = FlatWriter.of(SelectionChunk)!
  const bytes = writer.write({ run: 'r', round: 0, indexFirst: 0, docIds: BigUint64Array.of(1n) }, new Uint8Array())
  expect(reader.read(bytes, 0)).toEqual({ run: 'r', round: 0, indexFirst: 0, docIds: BigUint64Array.of(1n) })
  const begin = bytes.subarray(0, -3)
  const bodies = { twoBlocks: [2, 2, 2, 4, 0], withBytes: [1, 2, 2, 0], cut: [2, 2], tooLong: [80, 2, 0] }
  for (const body of Object.values(bodies))
    expect(reader.read(Buffer.concat([begin, Buffer.from(body)]), 0)).toBeUndefined()
})

test('numbers of any size that JavaScript holds are written exactly', () => {
  const [type, writer, reader] = [avroType(Sketch.avro), FlatWriter.of(Sketch)!, FlatReader.of(Sketch)!]
  const edges = [0, 7, 31, 32, 33, 51].flatMap((bits) => [2 ** bits - 1, 2 ** bits, -(2 ** bits), 1 - 2 ** bits])
  const value = { docId: 1n, version: 'w5b14r8s1', keys: [...edges, 2 ** 52, Number.MAX_SAFE_INTEGER - 1] }
  const bytes = writer.write(value, new Uint8Array())
  expect(bytes).toEqual(type.toBuffer(value))
  expect(reader.read(bytes, 0)).toEqual(value)
  // What avsc refuses to read is left to it.
  const beyond = writer.write({ ...value, keys: [Number.MAX_SAFE_INTEGER] }, new Uint8Array())
  expect(reader.read(beyond, 0)).toBeUndefined()
})

test('records without a column are written by avsc', () => {
  expect(FlatWriter.of(Label)).toBeUndefined()
})
