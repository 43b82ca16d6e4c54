import { expect, test } from 'vitest'
import type { Reward, RewardRequest } from '../../schemas/index.ts'
import { asDocumentId } from '../../schemas/index.ts'
import type { Delivered, Outgoing } from '../../topologies/node.ts'
import { Influence, type InfluenceModel } from '../../topologies/stations/influence.ts'

const request = (docId: bigint, digest: string, actor = 'topic'): Delivered<RewardRequest> => ({
  topic: 'requests',
  partition: 0,
  offset: 0,
  record: 'RewardRequest',
  value: {
    run: 'r',
    round: 1,
    actor,
    docId: asDocumentId(docId),
    text: `text ${docId}`,
    checkpointPath: `/${digest}.safetensors`,
    checkpointDigest: digest,
  },
})

/** A station whose model notes what it is asked. */
function stationOf(score: InfluenceModel['score']) {
  const asked: string[] = []
  const written: Reward[] = []
  const model: InfluenceModel = {
    graphDigest: 'g',
    estimator: 'e',
    projectionSeed: 's',
    prepare: ({ digest }) => void asked.push(`prepare ${digest}`),
    score: (checkpoint, texts) => {
      asked.push(`score ${texts.length} at ${checkpoint.digest} in ${checkpoint.path}`)
      return score(checkpoint, texts)
    },
  }
  const send = async (records: readonly Outgoing[]) => {
    written.push(...records.map(({ value }) => value as Reward))
    return []
  }
  const station = new Influence(model, { send, transaction: (work) => work(send), deadLetter: () => {} })
  return { station, asked, written }
}

test('all checkpoints of a batch are loaded before the first answer, and each answer uses one', async () => {
  const { station, asked, written } = stationOf(async ({ digest }, texts) =>
    texts.map(() => (digest === 'old' ? 1 : 2)),
  )
  await station.process([request(1n, 'old'), request(2n, 'new'), request(3n, 'old')])
  expect(asked).toEqual([
    'prepare old',
    'prepare new',
    'score 2 at old in /old.safetensors',
    'score 1 at new in /new.safetensors',
  ])
  expect(written.map(({ docId, reward, checkpointDigest }) => [docId, reward, checkpointDigest])).toEqual([
    [1n, 1, 'old'],
    [3n, 1, 'old'],
    [2n, 2, 'new'],
  ])
})

test('a document requested by several actors is computed once, and all get the same reward', async () => {
  const { station, asked, written } = stationOf(async (_, texts) => texts.map(() => ({ reward: 3, tasks: [1, 3] })))
  await station.process([request(1n, 'old'), request(1n, 'old', 'domain')])
  expect(asked.at(-1)).toBe('score 1 at old in /old.safetensors')
  const how = { graphDigest: 'g', estimator: 'e', projectionSeed: 's', checkpointDigest: 'old' }
  expect(written).toMatchObject([
    { actor: 'topic', reward: 3, taskRewards: [1, 3], ...how },
    { actor: 'domain', reward: 3, taskRewards: [1, 3], ...how },
  ])
})
