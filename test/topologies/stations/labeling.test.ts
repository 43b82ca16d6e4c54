import { expect, test } from 'vitest'
import type { Document } from '../../../schemas/index.ts'
import { asDocumentId } from '../../../schemas/index.ts'
import type { Delivered, Outgoing } from '../../../topologies/node.ts'
import { Labeling } from '../../../topologies/stations/labeling.ts'

const delivered = (docId: bigint, meta: string): Delivered<Document> => ({
  topic: 'winnow.documents',
  partition: 0,
  offset: Number(docId),
  record: 'Document',
  value: { docId: asDocumentId(docId), text: 'text', tokens: 1, meta },
})

test('a labeler sees the row without its text; a document whose meta is not JSON is refused, and the others are labelled', async () => {
  const seen: unknown[] = []
  const sent: Outgoing[] = []
  const rejected: unknown[] = []
  const model = {
    actor: 'a',
    version: 'v',
    label: async (inputs: { text: string; meta: unknown }[]) => {
      seen.push(...inputs.map(({ meta }) => meta))
      return inputs.map(() => ({ ok: true as const, subcategory: 0, score: 1 }))
    },
  }
  const station = new Labeling(model, {
    send: async (records) => {
      sent.push(...records)
      return []
    },
    transaction: async () => expect.unreachable(),
    deadLetter: ({ offset }, reason) => void rejected.push([offset, reason]),
  })
  await station.process([delivered(1n, '{"meta":{"b":1},"c":2}'), delivered(2n, 'no JSON'), delivered(3n, '{"c":NaN}')])
  expect(seen).toEqual([{ meta: { b: 1 }, c: 2 }, { c: null }])
  expect(sent.map(({ key }) => key)).toEqual(['1', '3'])
  expect(rejected).toEqual([[2, 'bad-meta']])
})
