import { expect, test } from 'vitest'
import { asDocumentId, type Document, type RewardRequest, Work } from '../../../schemas/index.ts'
import { Ledger } from '../../../topologies/ledger/ledger.ts'
import type { ModelCost } from '../../../topologies/ledger/pieces.ts'
import type { Delivered, Outgoing } from '../../../topologies/node.ts'
import { Influence } from '../../../topologies/stations/influence.ts'
import { Labeling } from '../../../topologies/stations/labeling.ts'

const cost: ModelCost = { model: 'm', device: 'cpu', parameters: 10, parametersAll: 30, factor: 2 }

/** An output that keeps what is sent, and a clock that each look moves by a second. */
function world() {
  const sent: Outgoing[] = []
  const send = async (records: readonly Outgoing[]) => {
    sent.push(...records)
    return []
  }
  const output = { send, transaction: (work: (own: typeof send) => Promise<never>) => work(send), deadLetter: () => {} }
  let ms = 0
  const ledger = () => {
    const book = new Ledger()
    for (const { record, value } of sent) if (record === Work) book.apply(value as Work)
    return book.rows()
  }
  return { sent, output: output as never, booking: { now: () => (ms += 1000) }, ledger }
}

const document = (offset: number): Delivered<Document> => ({
  ...{ topic: 'winnow.documents', partition: 2, offset, record: 'Document' },
  value: { docId: asDocumentId(BigInt(offset)), text: 'x'.repeat(offset), tokens: 3, meta: '{}' },
})

test('a labeler books what its model read, after the labels, and a repeated or rewound batch adds nothing', async () => {
  const { sent, output, booking, ledger } = world()
  const labels = (count: number) =>
    Array.from({ length: count }, () => ({ ok: true as const, subcategory: 0, score: 1 }))
  const model = {
    ...{ actor: 'a', version: 'v', cost },
    label: async () => expect.unreachable(),
    labelRead: async (inputs: { text: string }[]) => ({
      labels: labels(inputs.length),
      read: inputs.map(({ text }) => text.length),
    }),
  }
  const station = new Labeling(model, output, booking)
  await station.process([5, 6, 7, 9].map(document))
  expect(sent.map(({ record }) => record.name).indexOf('Work')).toBe(4)
  const once = { subject: 'a v', run: null, tokens: 27, documents: 4, flops: 540, flopsTableSix: 27 * 60 }
  expect(ledger()).toMatchObject([{ ...once, seconds: 1 }])
  await station.process([6, 7].map(document))
  await station.process([5, 6, 7, 9].map(document))
  expect(ledger()).toMatchObject([once])
  await station.process([9, 10].map(document))
  expect(ledger()).toMatchObject([{ tokens: 37, documents: 5 }])
})

test('a labeler whose model says nothing of tokens books those of the documents, and one without a cost nothing', async () => {
  const { sent, output, booking, ledger } = world()
  const label = async (inputs: object[]) => inputs.map(() => ({ ok: false as const, reason: 'r', message: 'm' }))
  await new Labeling({ actor: 'a', version: 'v', cost, label }, output, booking).process([document(0), document(1)])
  expect(ledger()).toMatchObject([{ tokens: 6, documents: 2 }])
  const before = sent.length
  await new Labeling({ actor: 'a', version: 'v', label }, output, booking).process([document(2)])
  expect(sent).toHaveLength(before)
})

test('rewards are booked once a document and batch, and the reference once a checkpoint', async () => {
  const { output, booking, ledger } = world()
  const model = {
    ...{ graphDigest: 'g', estimator: 'e', projectionSeed: 's' },
    cost: { purpose: 'rewards', documents: cost, reference: { ...cost, sequences: 4, tokens: 400 } } as const,
    score: async () => expect.unreachable(),
    scoreRead: async (_: unknown, texts: readonly string[]) => ({
      scores: texts.map(() => 1),
      read: texts.map(() => 8),
    }),
  }
  const request = (offset: number, docId: bigint, actor: string, digest: string): Delivered<RewardRequest> => ({
    ...{ topic: 'winnow.run.r.reward-requests', partition: 0, offset, record: 'RewardRequest' },
    value: {
      ...{ run: 'r', round: 1, actor, docId: asDocumentId(docId), text: `${docId}` },
      ...{ checkpointPath: digest, checkpointDigest: digest },
    },
  })
  const batch = [request(0, 1n, 'a', 'x'), request(1, 1n, 'b', 'x'), request(2, 2n, 'a', 'y')]
  for (const instance of [new Influence(model, output, booking), new Influence(model, output, booking)])
    await instance.process(batch)
  expect(ledger()).toMatchObject([
    { purpose: 'rewards', run: 'r', documents: 2, tokens: 16, seconds: 2 },
    { purpose: 'reference', run: 'r', documents: 8, tokens: 800, seconds: 2 },
  ])
})
