import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { double, string, u64 } from '../../schemas/field.ts'
import { allRecords, asDocumentId, Label } from '../../schemas/index.ts'
import { record } from '../../schemas/record.ts'
import { createCodec } from '../../services/runtime/codec.ts'

/** A record whose subject no other test has. */
export const uniqueName = () => `Test${randomUUID().replaceAll('-', '')}`

/** Of such a record yesterday's version and today's. */
export function twoVersions() {
  const name = uniqueName()
  const before = record(name, '', { id: u64 })
  const after = record(name, '', { id: u64, note: { ...string, default: 'none' } })
  return { name, before, after }
}

/** What winnow needs of any registry. */
export function registryContract(url: () => string): void {
  test('every record type registers, and registering again gives the same ids', async () => {
    const registry = url()
    const label: Label = {
      docId: asDocumentId(2n ** 64n - 1n),
      actor: 'q',
      subcategory: 1,
      score: 0,
      tokens: 1,
      version: 'a',
    }
    const first = await createCodec({ registry, records: allRecords })
    const second = await createCodec({ registry, records: allRecords })
    const bytes = first.encode(Label, label)
    expect(second.encode(Label, label)).toEqual(bytes)
    expect(second.decode(bytes)).toEqual({ record: 'Label', value: label })
  })

  test('yesterday’s reader reads today’s records, and today’s reader yesterday’s', async () => {
    const registry = url()
    const name = uniqueName()
    const before = record(name, '', { id: u64, gone: string })
    const after = record(name, '', { id: u64, note: { ...string, default: 'none' } })
    const old = await createCodec({ registry, records: [before] })
    const now = await createCodec({ registry, records: [after] })
    const bytes = old.encode(before, { id: 2n ** 63n, gone: 'x' })
    expect(await now.decode(bytes)).toEqual({ record: name, value: { id: 2n ** 63n, note: 'none' } })
  })

  test('the registry refuses a schema that cannot read an earlier version, however far back', async () => {
    const registry = url()
    const name = uniqueName()
    const first = record(name, '', { id: u64, a: string })
    const second = record(name, '', { id: u64 })
    // Compatible with the second version, not with the first.
    const third = record(name, '', { id: u64, a: { ...double, default: 0 } })
    await createCodec({ registry, records: [first] })
    await createCodec({ registry, records: [second] })
    await expect(createCodec({ registry, records: [third] })).rejects.toMatchObject({
      code: 'SCHEMA_INCOMPATIBLE',
      message: expect.stringContaining(`winnow.${name}`),
      exitCode: 3,
    })
  })

  test('an id unknown to the registry is the record’s fault; an unreachable registry is not', async () => {
    const name = uniqueName()
    const note = record(name, '', { id: u64 })
    const codec = await createCodec({ registry: url(), records: [note] })
    const bytes = codec.encode(note, { id: 1n })
    bytes.writeUInt32BE(0x7fffffff, 1)
    await expect(codec.decode(bytes)).rejects.toMatchObject({ reason: 'unknown-schema' })
    await expect(
      createCodec({ registry: 'http://127.0.0.1:1/apis/ccompat/v7', records: [note] }),
    ).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining(`winnow.${name}`),
    })
  })
}
