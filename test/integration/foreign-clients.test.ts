import { expect, test } from 'vitest'
import { asDocumentId, Document, topics } from '../../schemas/index.ts'
import { countDocuments } from '../../services/runs/label-progress.ts'
import { groupNamed } from '../../services/runtime/consumer-groups.ts'
import { until } from '../support/kafka.ts'
import { openWorld, type World } from './loop-world.ts'

const counts = ({ runtime, versions }: Pick<World, 'runtime' | 'versions'>) =>
  countDocuments(runtime, new Map(Object.entries(versions)))

test('documents without a key, from a foreign producer, are labelled; a record without key and value is a dead letter', async () => {
  const world = await openWorld(30)
  const { runtime } = world
  const { name } = topics.documents
  const letters = async () =>
    (await runtime.kafka.endOffsets(topics.deadLetters.name)).reduce((sum, end) => sum + end, 0)
  const before = await letters()
  const producer = await runtime.kafka.producer()
  const foreign = [1, 2, 3].map((n) => ({
    topic: name,
    key: null,
    value: runtime.codec.encode(Document, {
      docId: asDocumentId(2n ** 40n + BigInt(n)),
      text: `the ship left harbour at dawn, ${n}`,
      meta: '{"kind":"harbour"}',
      tokens: 8,
    }),
  }))
  await producer.send([...foreign, { topic: name, key: null, value: null }])
  await producer.close()
  await until(async () => {
    const { documents, complete } = await counts(world)
    return documents === 33 && complete === 33
  })
  await until(async () => (await letters()) > before)
})

test('groups whose offsets have expired start over, and nothing is lost or doubled', async () => {
  const world = await openWorld(30)
  const { runtime, config, versions } = world
  await world.stopCorpus()
  const groups = [
    groupNamed('label-sink'),
    ...config.actors.map(({ name }) => groupNamed(`labeler ${name} ${versions[name]}`)),
  ]
  for (const group of groups) {
    expect((await runtime.kafka.committedOffsets(group, topics.documents.name)).some((one) => one !== null)).toBe(true)
    // What a broker does once offsets.retention.minutes have passed without a member.
    await runtime.kafka.deleteGroups(group)
    expect(await runtime.kafka.committedOffsets(group, topics.documents.name)).toEqual([null, null, null])
  }
  await world.startCorpus()
  await world.ingest(30, 10)
  await until(async () => {
    const { documents, complete } = await counts(world)
    return documents === 40 && complete === 40
  })
  for (const group of groups)
    await until(async () => !(await runtime.kafka.committedOffsets(group, topics.documents.name)).includes(null))
  expect(await counts(world)).toMatchObject({ documents: 40, complete: 40 })
})
