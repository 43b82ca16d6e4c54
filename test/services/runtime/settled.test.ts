import fc from 'fast-check'
import { expect, test } from 'vitest'
import { samples } from '../../../deploy/tools/schema-samples.ts'
import { allRecords } from '../../../schemas/index.ts'
import { avroType, forAvsc, withColumns } from '../../../services/runtime/avro.ts'

const edit = fc.tuple(fc.nat(), fc.nat(255))

/** Bytes near to those of a real record are read as one more often than any others. */
test.each(allRecords)('$name: a value that Avro has read needs no check of its settled fields', (record) => {
  const { name, avro, check, unsettled } = record
  const type = avroType(avro)
  const bodies = (samples[name as keyof typeof samples] as object[]).map((value) => type.toBuffer(forAvsc(value)))
  let read = 0
  fc.assert(
    fc.property(fc.constantFrom(...bodies), fc.array(edit, { maxLength: 4 }), (whole, edits) => {
      const body = Buffer.from(whole)
      for (const [at, byte] of edits) body[at % body.length] = byte
      let value: Record<string, unknown>
      try {
        value = withColumns(record, type.fromBuffer(body)) as Record<string, unknown>
      } catch {
        return
      }
      read++
      if (unsettled.every(([field, one]) => one.safeParse(value[field]).success))
        expect(check.safeParse(value).success).toBe(true)
    }),
    { seed: 7, numRuns: 500 },
  )
  expect(read).toBeGreaterThan(100)
})
