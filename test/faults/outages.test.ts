import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { asDocumentId, Document, topics } from '../../schemas/index.ts'
import { readDeadLetters } from '../../services/runs/dead-letters/read.ts'
import { registryClient } from '../../services/runtime/registry.ts'
import { until } from '../support/kafka.ts'
import { addDocuments, expectSunk, openPipeline } from './pipeline.ts'
import type { OnTestFinished } from './play.ts'
import { FaultProxy } from './proxy.ts'
import { renewCorpusTopics } from './topics.ts'
import { openDatabase, openWorld, type World } from './world.ts'

/** How long a part is away. */
const awayMs = process.env.WINNOW_FAULT_SOAK === '1' ? 60_000 : 4_000

const world: World = await openWorld()
beforeEach(() => renewCorpusTopics(world))
afterAll(() => world.close())

/** The same address behind a proxy. */
async function proxied(address: string, onTestFinished: OnTestFinished): Promise<{ proxy: FaultProxy; url: string }> {
  const url = new URL(address)
  const port = Number(url.port)
  const proxy = await FaultProxy.open(() => port)
  onTestFinished(() => proxy.close())
  url.port = `${proxy.port}`
  return { proxy, url: url.href.replace(/\/$/, '') }
}

test('while ClickHouse is unreachable a sink holds only its current batch, and it catches up afterwards', async ({
  onTestFinished,
}) => {
  const addresses = await openDatabase()
  const { proxy, url } = await proxied(addresses.clickhouseUrl, onTestFinished)
  const { runtime, failures, start, group } = await openPipeline({ ...addresses, clickhouseUrl: url }, onTestFinished)
  const sink = await start('label sink')
  await expectSunk(runtime, await addDocuments(runtime, 500))
  // A batch is counted once it is written and its place is known.
  const read = () => sink.stats().read[topics.documents.name]
  await until(async () => read() === 500)
  proxy.cut()
  for (let wave = 0; wave < 4; wave++) {
    await addDocuments(world.runtime, 2000)
    await sleep(awayMs / 4)
  }
  const away = sink.stats()
  expect(away.retries).toBeGreaterThan(2)
  expect(away.read[topics.documents.name]).toBe(500)
  const committed = await world.runtime.kafka.committedOffsets(`${group}.label-sink`, topics.documents.name)
  expect(committed.reduce<number>((sum, offset) => sum + (offset ?? 0), 0)).toBeLessThanOrEqual(500)
  proxy.heal()
  await expectSunk(runtime, 8500)
  expect(failures).toEqual([])
})

test('while the registry is unreachable known schemas keep working, and a record with an unknown one waits', async ({
  onTestFinished,
}) => {
  const addresses = await openDatabase()
  const { proxy, url } = await proxied(addresses.registryUrl, onTestFinished)
  const { runtime, failures, start } = await openPipeline({ ...addresses, registryUrl: url }, onTestFinished)
  const sink = await start('label sink')
  proxy.cut()
  await expectSunk(runtime, await addDocuments(runtime, 500))

  // Compatible with ours, and registered by somebody else.
  const fields = [...(Document.avro.fields as object[]), { name: 'note', type: 'string', default: '' }]
  const schema = JSON.stringify({ ...Document.avro, fields })
  const id = await registryClient(addresses.registryUrl).register(
    'winnow.Document',
    { schema, schemaType: 'AVRO' },
    false,
  )
  const ours = runtime.codec.encode(Document, { docId: asDocumentId(77n), text: 'newer', tokens: 1, meta: '{}' })
  const header = Buffer.alloc(5)
  header.writeUInt32BE(id, 1)
  const value = Buffer.concat([header, ours.subarray(5), Buffer.from([0])])
  const producer = await runtime.kafka.producer()
  await producer.send([{ topic: topics.documents.name, key: '77', value }])
  await producer.close()
  await sleep(awayMs)
  expect(sink.stats()).toMatchObject({ deadLetters: 0, read: { [topics.documents.name]: 500 } })
  expect(sink.stats().retries).toBeGreaterThan(0)
  proxy.heal()
  await expectSunk(runtime, 501)
  expect(failures).toEqual([])
})

const unwritable: Record<string, { spoil: () => Promise<void>; mend: () => Promise<void> }> = {
  'is not there': {
    spoil: async () => {
      await world.runtime.kafka.deleteTopics([topics.deadLetters.name])
      const there = async () => (await world.runtime.kafka.topicNames()).includes(topics.deadLetters.name)
      await until(async () => !(await there()))
    },
    mend: () => world.runtime.kafka.createTopics([{ ...topics.deadLetters, partitions: 1 }]),
  },
  'takes nothing': { spoil: () => letterBytesMax(70), mend: () => letterBytesMax(1_048_588) },
}

/** With the topic's other settings, which would else become the broker's own. */
async function letterBytesMax(bytes: number): Promise<void> {
  const { name, cleanup, retentionMs } = topics.deadLetters
  const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name }
  const configEntries = [
    { name: 'max.message.bytes', value: `${bytes}` },
    { name: 'cleanup.policy', value: cleanup },
    { name: 'retention.ms', value: `${retentionMs}` },
  ]
  await world.admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] })
}

const ways = Object.keys(unwritable)

test.for(ways)(
  'where the topic of dead letters %s a station stops and skips nothing',
  async (name, { onTestFinished }) => {
    const { runtime, failures, start, group } = await openPipeline(await openDatabase(), onTestFinished)
    const { spoil, mend } = unwritable[name]!
    const producer = await runtime.kafka.producer()
    const poison = { topic: topics.documents.name, key: 'poison', partition: 0, value: Buffer.from('poison') }
    await producer.send([poison])
    await producer.close()
    await addDocuments(runtime, 100)
    await spoil()
    const stopped = await start('label sink')
    await until(() => failures.length > 0, 60_000)
    expect(failures[0]).toMatchObject({ name: 'WinnowError', code: 'CONFIGURATION', exitCode: 3 })
    await stopped.close()
    const [committed] = await runtime.kafka.committedOffsets(`${group}.label-sink`, topics.documents.name)
    expect(committed ?? 0).toBe(0)
    await mend()
    failures.length = 0
    await start('label sink')
    await expectSunk(runtime, 100)
    const letters: string[] = []
    await until(async () => {
      letters.length = 0
      for await (const { letter } of readDeadLetters(runtime)) letters.push(letter.origin)
      return letters.length > 0
    })
    expect(letters).toEqual([`${topics.documents.name}[0]@0`])
    expect(failures).toEqual([])
  },
)
