import { asDocumentId, Label, type RecordType, Run } from '../../schemas/index.ts'
import type { Codec, DecodeReason } from '../../services/runtime/codec.ts'
import { registryClient } from '../../services/runtime/registry.ts'

/** A value that no station takes, and the reason that its dead letter must give. */
export interface Poison {
  readonly kind: string
  readonly reason: DecodeReason
  readonly value: Buffer | null
}

const framed = (id: number, body: Buffer): Buffer => {
  const header = Buffer.alloc(5)
  header.writeUInt32BE(id, 1)
  return Buffer.concat([header, body])
}

/** Bytes of every kind that are not a record of the topic that `good` belongs to. */
export async function poisons(codec: Codec, registryUrl: string, record: RecordType, good: Buffer): Promise<Poison[]> {
  const foreign = await registryClient(registryUrl).register(
    'test.Foreign',
    {
      schemaType: 'AVRO',
      schema: JSON.stringify({ type: 'record', name: 'Foreign', fields: [{ name: 'n', type: 'long' }] }),
    },
    false,
  )
  const other =
    record === Run
      ? codec.encode(Label, { docId: asDocumentId(1n), actor: 'a', subcategory: 0, score: 1, tokens: 1, version: 'v' })
      : codec.encode(Run, {
          run: 'r',
          config: '{}',
          replayOf: null,
          selectionVersion: 2,
          life: 'active',
          recordedMs: null,
        })
  return [
    { kind: 'no value', reason: 'bad-framing', value: null },
    { kind: 'no bytes', reason: 'bad-framing', value: Buffer.alloc(0) },
    { kind: 'text', reason: 'bad-framing', value: Buffer.from('{"docId": 1}') },
    { kind: 'half a header', reason: 'bad-framing', value: good.subarray(0, 4) },
    { kind: 'an unknown schema id', reason: 'unknown-schema', value: framed(0x7ffffff0, good.subarray(5)) },
    { kind: 'a schema of somebody else', reason: 'wrong-record', value: framed(foreign, Buffer.from([2])) },
    { kind: 'a record of another topic', reason: 'wrong-record', value: other },
    { kind: 'no body', reason: 'bad-body', value: good.subarray(0, 5) },
    { kind: 'a body that breaks off', reason: 'bad-body', value: good.subarray(0, good.length - 1) },
    { kind: 'a body that goes on', reason: 'bad-body', value: Buffer.concat([good, Buffer.from([7])]) },
  ]
}
