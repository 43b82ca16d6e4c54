import fc from 'fast-check'
import { expect, test } from 'vitest'
import { allRecords, Document, Label, SelectionChunk, Sketch } from '../../../schemas/index.ts'
import { avroType } from '../../../services/runtime/avro.ts'
import { FlatReader } from '../../../services/runtime/flat-avro.ts'

const u64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.nat(64).map((bits) => 2n ** BigInt(bits) - 1n),
)
const label = fc.record({
  docId: u64,
  actor: fc.oneof(fc.constantFrom('topic', 'quality'), fc.string({ unit: 'grapheme', maxLength: 100 })),
  subcategory: fc.integer(),
  score: fc.double(),
  // What avsc writes, too.
  tokens: fc.nat().map((n) => n * 2 ** 21),
  version: fc.constantFrom('v1', 'v2'),
})

const sketch = fc.record({
  docId: u64,
  version: fc.constantFrom('w5b14r8s1', 'w9b3r3s2'),
  keys: fc.array(
    fc.nat().map((n) => n * 2 ** 21 + 1),
    { maxLength: 14 },
  ),
})

test('reads what avsc writes, record after record', () => {
  const [type, flat] = [avroType(Label.avro), FlatReader.of(Label)!]
  fc.assert(
    fc.property(fc.array(label, { minLength: 1, maxLength: 20 }), fc.nat(7), (labels, before) => {
      for (const value of labels) {
        const bytes = Buffer.concat([Buffer.alloc(before, 0xff), type.toBuffer(value)])
        expect(flat.read(bytes, before)).toEqual({ ...type.fromBuffer(bytes.subarray(before)) })
        expect(flat.read(bytes, before)).toEqual(value)
      }
    }),
  )
})

test.for([
  { record: Label, values: label as fc.Arbitrary<object> },
  { record: Sketch, values: sketch },
])('what avsc refuses, or reads otherwise, is left to it: $record.name', ({ record, values }) => {
  const [type, flat] = [avroType(record.avro), FlatReader.of(record)!]
  const read = (bytes: Buffer): unknown => {
    try {
      return { ...type.fromBuffer(bytes) }
    } catch {
      return undefined
    }
  }
  fc.assert(
    fc.property(values, fc.nat(), fc.nat(255), fc.constantFrom('cut', 'longer', 'changed'), (value, at, byte, how) => {
      const good = type.toBuffer(value)
      const bytes = Buffer.from(good)
      if (how === 'changed') bytes[at % bytes.length] = byte
      const bad =
        how === 'cut'
          ? bytes.subarray(0, at % bytes.length)
          : how === 'longer'
            ? Buffer.concat([bytes, Buffer.from([byte])])
            : bytes
      const found = flat.read(bad, 0)
      if (found !== undefined) expect(found).toEqual(read(bad))
      // Nor does it see what else is in the bytes that it is given.
      expect(flat.read(Buffer.concat([bad, good, good]), 0, bad.length)).toEqual(found)
    }),
    { numRuns: 2000 },
  )
})

test('documents, labels, columns of ids and lists of whole numbers are read by it, and records with other fields are not', () => {
  for (const record of [Document, SelectionChunk, Sketch]) expect(FlatReader.of(record)).toBeDefined()
  const others = allRecords.filter(
    (record) =>
      record !== SelectionChunk && record !== Sketch && JSON.stringify(record.avro.fields).includes('"array"'),
  )
  expect(others.length).toBeGreaterThan(2)
  for (const other of others) expect(FlatReader.of(other)).toBeUndefined()
})
