import { SchemaRegistryClient } from '@confluentinc/schemaregistry'
import { expect, test } from 'vitest'
import { int, string, u64, word } from '../../../schemas/field.ts'
import { asDocumentId, DeadLetter, Label, SelectionChunk, Source } from '../../../schemas/index.ts'
import { record } from '../../../schemas/record.ts'
import { createCodec, DecodeError } from '../../../services/runtime/codec.ts'
import type { RegistryClient } from '../../../services/runtime/registry.ts'

const label: Label = { docId: asDocumentId(1n), actor: 'q', subcategory: 3, score: 0.5, tokens: 12, version: 'v1' }

const mock = (): RegistryClient => SchemaRegistryClient.newClient({ baseURLs: ['mock://codec'] })

/** A registry whose calls can be made to fail, counting the look-ups. */
function faulty(client: RegistryClient = mock()) {
  const state = { lookUps: 0, written: [] as string[], failure: undefined as Error | undefined }
  const registry: RegistryClient = {
    getId: (...input) => (state.failure ? Promise.reject(state.failure) : client.getId(...input)),
    register: (...input) => {
      state.written.push(`schema of ${input[0]}`)
      return state.failure ? Promise.reject(state.failure) : client.register(...input)
    },
    updateCompatibility: (...input) => {
      state.written.push(`compatibility of ${input[0]}`)
      return client.updateCompatibility(...input)
    },
    getBySubjectAndId: (...input) => {
      state.lookUps++
      return state.failure ? Promise.reject(state.failure) : client.getBySubjectAndId(...input)
    },
  }
  return { registry, state }
}

const restError = (status: number, message: string) => Object.assign(new Error(message), { status })

/** How a Label was written before it had a version, or after it got a field. */
const schemaOf = (fields: unknown[]) => ({
  schemaType: 'AVRO',
  schema: JSON.stringify({ type: 'record', name: 'Label', namespace: 'winnow', fields }),
})

const reasonOf = async (work: () => unknown): Promise<string | undefined> => {
  try {
    await work()
  } catch (error) {
    if (error instanceof DecodeError) return error.reason
    throw error
  }
  return undefined
}

test('a schema that the registry has is read and not written again, so reading it is permission enough', async () => {
  const { registry, state } = faulty()
  const first = await createCodec({ registry, records: [Label] })
  expect(state.written).toEqual(['compatibility of winnow.Label', 'schema of winnow.Label'])
  const second = await createCodec({ registry, records: [Label, Source] })
  expect(second.encode(Label, label)).toEqual(first.encode(Label, label))
  expect(state.written.slice(2)).toEqual(['compatibility of winnow.Source', 'schema of winnow.Source'])
})

test('a record is framed with a zero byte, its schema id big-endian and the Avro body', async () => {
  const codec = await createCodec({ registry: mock(), records: [Source, Label] })
  const bytes = codec.encode(Label, label)
  expect(bytes.subarray(0, 5).toString('hex')).toBe('0000000002')
  expect(bytes.subarray(5).toString('hex')).toBe('0202710600000000 0000e03f18047631'.replace(' ', ''))
})

test.each([0n, 1n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n])(
  'the 64-bit id %s round-trips as the same bigint',
  async (docId) => {
    const codec = await createCodec({ registry: mock(), records: [Label] })
    expect(codec.decode(codec.encode(Label, { ...label, docId: asDocumentId(docId) }))).toEqual({
      record: 'Label',
      value: { ...label, docId },
    })
  },
)

test.each([NaN, -0, Infinity, -Infinity, 5e-324])('the score %s round-trips', async (score) => {
  const codec = await createCodec({ registry: mock(), records: [Label] })
  const value = await codec.decodeAs(Label, codec.encode(Label, { ...label, score }))
  expect(Object.is(value.score, score)).toBe(true)
})

test('a plain Uint8Array is written as bytes, without the rest of its buffer', async () => {
  const codec = await createCodec({ registry: mock(), records: [DeadLetter] })
  const around = new Uint8Array([9, 1, 2, 9])
  const letter: DeadLetter = {
    ...{ station: 's', reason: 'r', message: '', origin: 'ü', topic: null, partition: null, offset: null },
    ...{ file: null, line: 7, key: null, value: around.subarray(1, 3) },
  }
  expect(await codec.decodeAs(DeadLetter, codec.encode(DeadLetter, letter))).toEqual({
    ...letter,
    value: Buffer.from([1, 2]),
  })
})

test('a value of the wrong type is not written, and the message names the field', async () => {
  const codec = await createCodec({ registry: mock(), records: [Label] })
  expect(() => codec.encode(Label, { ...label, docId: asDocumentId(2n ** 64n) })).toThrow(/Not a valid Label: docId/)
  expect(() => codec.encode(Label, { ...label, docId: asDocumentId(-1n) })).toThrow(/docId/)
  expect(() => codec.encode(Label, { ...label, subcategory: 1.5 })).toThrow(/subcategory/)
  expect(() => codec.encode(Label, { ...label, extra: 1 } as Label)).toThrow(/extra/)
})

test.each([
  ['nothing', ''],
  ['four bytes', '00000000'],
  ['a first byte that is not zero', '010000000102'],
])('%s is bad framing', async (_what, hex) => {
  const codec = await createCodec({ registry: mock(), records: [Label] })
  expect(await reasonOf(() => codec.decode(Buffer.from(hex, 'hex')))).toBe('bad-framing')
})

test('a body that is truncated, too long, or breaks a field has its own reason each', async () => {
  const codec = await createCodec({ registry: mock(), records: [Label, record('Other', '', { id: u64 })] })
  const bytes = codec.encode(Label, label)
  expect(await reasonOf(() => codec.decode(bytes.subarray(0, -1)))).toBe('bad-body')
  expect(await reasonOf(() => codec.decode(Buffer.concat([bytes, Buffer.from([0])])))).toBe('bad-body')
})

test('an array or map that claims to be longer than its bytes is a bad body, even in a skipped field', async () => {
  const client = mock()
  const codec = await createCodec({ registry: client, records: [Label, SelectionChunk] })
  /** 2^40 as a zigzag varint, and its negative, before which a block says its bytes. */
  const [many, manyInBytes] = ['808080808040', 'ffffffffff3f808080808040'].map((hex) => Buffer.from(hex, 'hex'))
  const chunk = codec.encode(SelectionChunk, { run: 'r', round: 0, indexFirst: 0, docIds: new BigUint64Array() })
  for (const count of [many!, manyInBytes!]) {
    const body = Buffer.concat([chunk.subarray(0, -1), count, Buffer.from([2, 4, 6, 0])])
    expect(await reasonOf(() => codec.decode(body))).toBe('bad-body')
  }
  for (const type of [
    { type: 'array', items: 'long' },
    { type: 'map', values: 'long' },
  ]) {
    const fields = [...(Label.avro.fields as object[]), { name: 'more', type }]
    const schema = JSON.stringify({ ...Label.avro, fields })
    const id = await client.register('winnow.Label', { schemaType: 'AVRO', schema }, false)
    const header = Buffer.alloc(5)
    header.writeUInt32BE(id, 1)
    const body = Buffer.concat([header, codec.encode(Label, label).subarray(5)])
    expect(await codec.decodeAs(Label, Buffer.concat([body, Buffer.from([0])]))).toEqual(label)
    for (const count of [many!, manyInBytes!])
      expect(await reasonOf(() => codec.decode(Buffer.concat([body, count, Buffer.from([2, 4, 6, 0])])))).toBe(
        'bad-body',
      )
  }
})

test('a value that Avro can read but the field does not allow is an invalid record', async () => {
  const wider = record('Reply', '', { why: word(['late', 'early']), count: int })
  const own = record('Reply', '', { why: word(['late']), count: int })
  const client = mock()
  const [theirs, ours] = await Promise.all([wider, own].map((one) => createCodec({ registry: client, records: [one] })))
  const late = { why: 'late', count: 3 } as const
  expect(await ours!.decodeAs(own, theirs!.encode(wider, late))).toEqual(late)
  expect(await reasonOf(() => ours!.decode(theirs!.encode(wider, { why: 'early', count: 3 })))).toBe('invalid-record')
})

test('an unexpected record type, or one that is not winnow’s, is a wrong record', async () => {
  const client = mock()
  const both = await createCodec({ registry: client, records: [Label, Source] })
  const labels = await createCodec({ registry: client, records: [Label] })
  const source = both.encode(Source, {
    ...{ name: 'a', source: 1, fingerprint: '', rowNext: 0, documents: 0, rejected: 0, complete: false },
    textField: 'text',
  })
  expect(await reasonOf(() => both.decodeAs(Label, source))).toBe('wrong-record')
  expect(await reasonOf(() => labels.decode(source))).toBe('wrong-record')
})

test('an id that the registry lacks is an unknown schema, and is looked up again later', async () => {
  const { registry, state } = faulty()
  const codec = await createCodec({ registry, records: [Label] })
  const bytes = codec.encode(Label, label)
  bytes.writeUInt32BE(99, 1)
  expect(await reasonOf(() => codec.decode(bytes))).toBe('unknown-schema')
  expect(await reasonOf(() => codec.decode(bytes))).toBe('unknown-schema')
  expect(state.lookUps).toBe(2)
})

test('a record of an earlier version is read with today’s defaults, and its schema is looked up once', async () => {
  const { registry, state } = faulty()
  const id = await registry.register(
    'winnow.Note',
    {
      schemaType: 'AVRO',
      schema: JSON.stringify({
        ...{ type: 'record', name: 'Note', namespace: 'winnow' },
        fields: [{ name: 'id', type: { type: 'long', logicalType: 'uint64' } }],
      }),
    },
    false,
  )
  const Note = record('Note', '', { id: u64, text: { ...string, default: 'none' } })
  const codec = await createCodec({ registry, records: [Note] })
  const bytes = Buffer.from('000000000004', 'hex')
  bytes.writeUInt32BE(id, 1)
  const first = codec.decode(bytes)
  expect(first).toBeInstanceOf(Promise)
  expect(await first).toEqual({ record: 'Note', value: { id: 2n, text: 'none' } })
  expect(codec.decode(bytes)).toEqual({ record: 'Note', value: { id: 2n, text: 'none' } })
  expect(state.lookUps).toBe(1)
})

test('a version that today’s reader cannot read is an unknown schema', async () => {
  const client = mock()
  const id = await client.register('winnow.Label', schemaOf([{ name: 'docId', type: 'string' }]), false)
  const codec = await createCodec({ registry: client, records: [Label] })
  const bytes = Buffer.from('000000000002', 'hex')
  bytes.writeUInt32BE(id, 1)
  expect(await reasonOf(() => codec.decode(bytes))).toBe('unknown-schema')
})

test('while the registry is unreachable known schemas keep working, and an unknown one is not the record’s fault', async () => {
  const { registry, state } = faulty()
  const codec = await createCodec({ registry, records: [Label] })
  const bytes = codec.encode(Label, label)
  state.failure = new Error('connect ECONNREFUSED')
  expect(codec.decode(bytes)).toEqual({ record: 'Label', value: label })
  bytes.writeUInt32BE(99, 1)
  await expect(codec.decode(bytes)).rejects.toMatchObject({ code: 'UNREACHABLE', retriable: true })
})

test('an incompatible schema is refused at startup, naming subject and reason', async () => {
  const { registry, state } = faulty()
  state.failure = restError(409, 'field docId is missing a default')
  await expect(createCodec({ registry, records: [Label] })).rejects.toMatchObject({
    code: 'SCHEMA_INCOMPATIBLE',
    message: 'The registry refuses the schema of subject winnow.Label: field docId is missing a default',
  })
})

test.each([
  [503, 'UNREACHABLE'],
  [401, 'CONFIGURATION'],
])('a registry that answers %i at startup is %s', async (status, code) => {
  const { registry, state } = faulty()
  state.failure = restError(status, 'no')
  await expect(createCodec({ registry, records: [Label] })).rejects.toMatchObject({ code })
})
