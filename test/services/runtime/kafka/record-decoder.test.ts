import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import '../../../../services/runtime/kafka/compression.ts'
import { decodeRecords } from '../../../../services/runtime/kafka/record-decoder.ts'

interface KafkajsRecord {
  readonly offset: string
  readonly timestamp: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: object
  readonly isControlRecord: boolean
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean }
}
const require = createRequire(import.meta.url)
const {
  RecordBatch,
}: { RecordBatch(batch: object): Promise<{ buffer: Buffer }> } = require('kafkajs/src/protocol/recordBatch/v0/index.js')
const Record: (record: object) => object = require('kafkajs/src/protocol/recordBatch/record/v0/index.js')
const Decoder: new (bytes: Buffer) => object = require('kafkajs/src/protocol/decoder.js')
const decodeBatch: (
  decoder: object,
) => Promise<{ records: KafkajsRecord[] }> = require('kafkajs/src/protocol/recordBatch/v0/decoder.js')

const bytes = fc.option(
  fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
  { nil: null },
)
const record = fc.record({
  key: bytes,
  value: bytes,
  headers: fc.dictionary(
    fc.string({ minLength: 1 }).filter((name) => name !== '__proto__'),
    fc.oneof(fc.string(), fc.array(fc.string(), { minLength: 1, maxLength: 3 })),
    { maxKeys: 3 },
  ),
  timestampDelta: fc.oneof(fc.nat(200), fc.nat(), fc.integer({ min: -(2 ** 31), max: -1 })),
})
const batch = fc.record({
  firstOffset: fc.oneof(
    fc.nat(300),
    fc.maxSafeNat().map((n) => Math.floor(n / 2)),
  ),
  firstTimestamp: fc.integer({ min: 0, max: 2 ** 42 }),
  maxTimestamp: fc.integer({ min: 0, max: 2 ** 42 }),
  producerId: fc.constantFrom(-1, 7, 2 ** 40),
  transactional: fc.boolean(),
  compression: fc.constantFrom(0, 0, 1),
  records: fc.array(record, { maxLength: 12 }),
})

type Given = typeof batch extends fc.Arbitrary<infer Value> ? Value : never

const encoded = async ({ records, ...rest }: Given): Promise<Buffer> => {
  const all = records.map((one, offsetDelta) => Record({ ...one, offsetDelta }))
  return (await RecordBatch({ ...rest, records: all, lastOffsetDelta: records.length - 1 })).buffer
}

test('decodes what kafkajs decodes, whatever the batch', async () => {
  await fc.assert(
    fc.asyncProperty(batch, fc.boolean(), fc.boolean(), async (given, isControl, appendTime) => {
      const whole = await encoded(given)
      // Flags that only brokers set.
      whole.writeInt16BE(whole.readInt16BE(21) | (isControl ? 0x20 : 0) | (appendTime ? 0x8 : 0), 21)
      const { records: expected } = await decodeBatch(new Decoder(whole))
      const found = await decodeRecords(whole)
      const plain = found.map(({ offset, timestamp, key, value, headers, isControlRecord, batchContext }) => ({
        offset: String(offset),
        timestamp: String(timestamp),
        ...{ key, value, headers: { ...headers }, isControlRecord },
        producerId: batchContext.producerId,
        inTransaction: batchContext.inTransaction,
      }))
      expect(plain).toEqual(
        expected.map(({ offset, timestamp, key, value, headers, isControlRecord, batchContext }) => ({
          ...{ offset, timestamp, key, value, headers, isControlRecord },
          producerId: batchContext.producerId,
          inTransaction: batchContext.inTransaction,
        })),
      )
    }),
    { numRuns: 300 },
  )
})

test('bytes that are not records are an error, and nothing beyond them is read', async () => {
  await fc.assert(
    fc.asyncProperty(batch, fc.nat(), fc.nat(255), async (given, at, byte) => {
      const whole = await encoded({ ...given, compression: 0 })
      if (whole.length <= 61) return
      const changed = Buffer.from(whole)
      changed[61 + (at % (whole.length - 61))] = byte
      const found = await decodeRecords(changed).catch((error: unknown) => error)
      if (!(found instanceof Error)) expect(found).toHaveLength(given.records.length)
      await expect(decodeRecords(whole.subarray(0, whole.length - 1))).rejects.toThrow(RangeError)
    }),
    { numRuns: 300 },
  )
})
