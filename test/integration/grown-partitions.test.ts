import { randomUUID } from 'node:crypto'
import kafkajs, { Kafka as KafkajsClient } from 'kafkajs'
import { expect, inject, onTestFinished, test } from 'vitest'
import { Label, labelsTopic, runTopics, topics } from '../../schemas/index.ts'
import { createRunTopics, definitionOf } from '../../services/connections/connections.ts'
import { cliOn } from '../support/cli.ts'
import { connect, until } from '../support/kafka.ts'
import { parityRun } from '../support/memory-runtime.ts'
import { openWorld } from './loop-world.ts'

test('partitions added to the documents topic are read once the label topics have as many, and nothing is lost meanwhile', async () => {
  const world = await openWorld(30)
  const { kafka, codec } = world.runtime
  const admin = new KafkajsClient({ brokers: inject('brokers'), logLevel: kafkajs.logLevel.NOTHING }).admin()
  onTestFinished(() => admin.disconnect())
  await admin.connect()
  const grow = async (names: readonly string[]) => {
    await admin.createPartitions({ topicPartitions: names.map((topic) => ({ topic, count: 6 })) })
  }
  const others = [
    topics.exclusions.name,
    topics.sketches.name,
    ...world.config.actors.map(({ name }) => labelsTopic(name).name),
  ]

  await world.stopCorpus()
  await grow([topics.documents.name])
  const refusal = await world.startCorpus().catch((error: unknown) => error)
  expect(refusal).toMatchObject({ code: 'CONFIGURATION' })
  for (const topic of others)
    expect((refusal as { hint: string }).hint).toContain(
      `kafka-topics.sh --bootstrap-server "$BROKERS" --alter --topic ${topic} --partitions 6`,
    )
  const { code } = await cliOn(world.runtime, world.config, world.folder)('status')
  expect(code).toBe(0)

  await grow(others)
  await world.startCorpus()
  // Waits until all are labelled and stored.
  await world.add(30, 90)
  const documentOf = new Map<string, number>()
  for await (const records of kafka.read(topics.documents.name))
    for (const { key, partition } of records) documentOf.set(key!.toString(), partition)
  expect(documentOf.size).toBe(120)
  expect(Math.max(...documentOf.values())).toBeGreaterThan(2)
  for (const topic of others) {
    for await (const records of kafka.read(topic)) {
      for (const { partition, value } of records) {
        const { docId } = await codec.decodeAs(Label, value!)
        expect(partition).toBe(documentOf.get(docId.toString()))
      }
    }
  }
})

test('in the topics of a run a key keeps its partition when partitions are added, also for a new process', async () => {
  const run = parityRun(`grown-${randomUUID()}`, {}, { influence: { partitions: 2 } })
  const { rewards } = runTopics(run.name)
  const keys = Array.from({ length: 100 }, (_, i) => `${i}`)
  const placesOf = async () => {
    const kafka = connect()
    // The topics of a run take records as long as documents are.
    await kafka.createTopics([definitionOf(topics.documents, { partitions: 1, recordBytesMax: 8 * 1024 * 1024 })])
    await createRunTopics(kafka, run)
    const producer = await kafka.producer()
    const sent: string[] = []
    for (const key of keys) {
      const [landed] = await producer.send([{ topic: rewards.name, key, value: Buffer.from(key) }])
      sent.push(`${key} in ${landed!.partition}`)
    }
    return sent
  }
  const before = await placesOf()
  const admin = new KafkajsClient({ brokers: inject('brokers'), logLevel: kafkajs.logLevel.NOTHING }).admin()
  onTestFinished(() => admin.disconnect())
  await admin.connect()
  await admin.createPartitions({ topicPartitions: [{ topic: rewards.name, count: 6 }] })
  const grown = connect()
  await until(async () => (await grown.endOffsets(rewards.name)).length === 6)
  expect(await placesOf()).toEqual(before)
})
