import { createCipheriv } from 'node:crypto'
import kafkajs from 'kafkajs'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  ActorState,
  asDocumentId,
  Document,
  Label,
  labelsTopic,
  Manifest,
  Progress,
  type RecordType,
  Reward,
  RewardRequest,
  runTopics,
  topics,
} from '../../schemas/index.ts'
import { openRuntime } from '../../services/connections/connections.ts'
import { readDeadLetters, type StoredLetter } from '../../services/runs/dead-letters/read.ts'
import { redrive } from '../../services/runs/dead-letters/redrive.ts'
import { createLog } from '../../services/runtime/log.ts'
import { runStation, type StationHandle } from '../../services/runtime/station.ts'
import { corpusStations, runStations } from '../../topologies/dataflow.ts'
import { until } from '../support/kafka.ts'
import { expectActors, expectConsole, expectRewards } from './compare.ts'
import { documentAt, labelModel, labelOf, runNamed, subcategories } from './corpus.ts'
import { computeExpected, type Expected, progressAfter } from './oracle.ts'
import { play } from './play.ts'
import { type Poison, poisons } from './poison.ts'
import { groupOf } from './stations.ts'
import { openCorpus } from './topics.ts'
import { fill, openDatabase, openWorld, type World } from './world.ts'

const labelsOfShape = labelsTopic('shape').name
const tenMegabytes = 10 * 1024 * 1024
/** No Avro, and nothing that compression makes shorter. */
const large = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(tenMegabytes))
large[0] = 'x'.charCodeAt(0)

const type = kafkajs.ConfigResourceTypes.TOPIC

let world: World
let expected: Expected
beforeAll(async () => {
  expected = await computeExpected(runNamed('oracle'))
  world = await openWorld()
  await openCorpus(world)
})
afterAll(() => world.close())

const handles: StationHandle[] = []
const failures: unknown[] = []
afterEach(async () => {
  for (const handle of handles.splice(0)) await handle.close()
  expect(failures.splice(0)).toEqual([])
})

interface Placed extends Poison {
  readonly topic: string
  readonly offset: number
  /** The stations that read the topic. */
  readonly readers: readonly string[]
}

/** Puts poison of every kind into partition 0 of a topic, past winnow's own producer, which would refuse some of it. */
async function poison(topic: string, record: RecordType, good: object, readers: readonly string[]): Promise<Placed[]> {
  const { codec } = world.runtime
  const all = await poisons(codec, world.addresses.registryUrl, record, codec.encode(record, good as never))
  const { resources } = await world.admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type, name: topic }],
  })
  const own = (resources[0]?.configEntries ?? [])
    .filter(({ configSource }) => configSource === kafkajs.ConfigSource.TOPIC_CONFIG)
    .map(({ configName, configValue }) => ({ name: configName, value: configValue }))
  const configure = (configEntries: typeof own) =>
    world.admin.alterConfigs({ validateOnly: false, resources: [{ type, name: topic, configEntries }] })
  const others = own.filter(({ name }) => name !== 'max.message.bytes')
  await configure([...others, { name: 'max.message.bytes', value: `${2 * tenMegabytes}` }])
  all.push({ kind: '10 MB', reason: 'bad-framing', value: large })
  const producer = world.client.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  const placed: Placed[] = []
  for (const one of all) {
    const message = { key: one.kind, value: one.value, partition: 0 }
    const [answer] = await producer.send({ topic, messages: [message] })
    placed.push({ ...one, topic, offset: Number(answer!.baseOffset), readers })
  }
  await producer.disconnect()
  await configure(own)
  return placed
}

async function lettersOf(topic: string): Promise<StoredLetter[]> {
  const letters: StoredLetter[] = []
  for await (const letter of readDeadLetters(world.runtime, { topic })) letters.push(letter)
  return letters
}

/** Each has a dead letter of every reader, with its reason, its place and its bytes. */
async function expectLetters(placed: readonly Placed[]): Promise<void> {
  for (const [topic, own] of Map.groupBy(placed, (one) => one.topic)) {
    const wanted = own.reduce((sum, { readers }) => sum + readers.length, 0)
    await until(async () => (await lettersOf(topic)).length >= wanted)
    const letters = await lettersOf(topic)
    expect(letters, topic).toHaveLength(wanted)
    for (const { kind, reason, offset, value, readers } of own) {
      const here = letters.filter(({ letter }) => letter.offset === offset)
      expect(here.map(({ letter }) => letter.station).sort(), kind).toEqual(readers.toSorted())
      for (const { letter } of here) {
        expect(letter, kind).toMatchObject({ reason, partition: 0, origin: `${topic}[0]@${offset}` })
        expect(Buffer.from(letter.key!).toString()).toBe(kind)
        if (value === null) expect(letter.value).toBe(null)
        else expect(value.subarray(0, letter.value!.length).equals(letter.value!), kind).toBe(true)
        const kept = letter.value?.length ?? 0
        if (kind === '10 MB') expect(letter.message).toMatch(new RegExp(`first ${kept} of ${tenMegabytes} bytes`))
        else expect(kept).toBe(value?.length ?? 0)
      }
    }
  }
}

test('poison among documents and labels stops no service, is kept with its reason, and takes effect once corrected and redriven', async ({
  onTestFinished,
}) => {
  const addresses = await openDatabase()
  const runtime = await openRuntime(addresses, createLog('test', 'warn'))
  onTestFinished(() => runtime.close())
  const { codec } = runtime
  const good = documentAt(1)
  const placed = [
    ...(await poison(topics.documents.name, Document, good, ['labeler shape', 'label sink'])),
    ...(await poison(
      labelsOfShape,
      Label,
      { docId: asDocumentId(1n), actor: 'shape', subcategory: 0, score: 1, tokens: 1, version: 'v1' } satisfies Label,
      ['label sink'],
    )),
  ]
  const producer = await runtime.kafka.producer()
  const wrong: Label = {
    docId: asDocumentId(1n),
    actor: 'shape',
    subcategory: 0,
    score: Number.NaN,
    tokens: 1,
    version: 'v1',
  }
  const refused = [
    { ...wrong, reason: 'non-finite-score' },
    { ...wrong, score: 1, actor: 'weather', reason: 'wrong-actor' },
    { ...wrong, score: 1, subcategory: -1, reason: 'bad-label' },
  ]
  for (const { reason, ...label } of refused) {
    const value = codec.encode(Label, label)
    const [landed] = await producer.send([{ topic: labelsOfShape, key: reason, value, partition: 0 }])
    const letter = { topic: labelsOfShape, offset: landed!.offsetFirst, readers: ['label sink'] }
    placed.push({ kind: reason, reason: reason as Poison['reason'], value, ...letter })
  }
  // Behind all that, a document like any other.
  const after = documentAt(1_000_001)
  await producer.send([{ topic: topics.documents.name, key: `${after.docId}`, value: codec.encode(Document, after) }])
  const label = labelOf('colour', after.text)
  if (!label.ok) throw new Error('it has a label')
  const ofColour = { docId: after.docId, actor: 'colour', tokens: after.tokens, version: 'v1' }
  const value = codec.encode(Label, { ...ofColour, subcategory: label.subcategory, score: label.score })
  await producer.send([{ topic: labelsTopic('colour').name, key: `${after.docId}`, value }])
  await producer.close()

  const stations = corpusStations(Object.keys(subcategories))
  for (const name of ['labeler shape', 'label sink']) {
    const station = stations.find((one) => one.name === name)!
    const build = station.build.bind(station, { store: runtime.store, labelModel })
    const groupId = groupOf(name, addresses.database!)
    handles.push(await runStation({ ...runtime, groupId, station, build, onFailure: (error) => failures.push(error) }))
  }
  const sinkIsThrough = async () => {
    const written = (await runtime.kafka.endOffsets(topics.documents.name)).reduce((sum, end) => sum + end, 0)
    await until(() => handles[0]!.stats().read[topics.documents.name] === written)
    // Poison at the end of a partition is behind the sink as well: nobody waits for it.
    const ends = []
    for (const { name } of [topics.documents, ...Object.keys(subcategories).map(labelsTopic)]) {
      const offsets = await runtime.kafka.endOffsets(name)
      ends.push(...offsets.map((offsetNext, partition) => ({ topic: name, partition, offsetNext })))
    }
    const inOrder = ends.sort((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition))
    await expect.poll(() => runtime.store.committed(), { timeout: 60_000 }).toEqual(inOrder)
  }
  await expectLetters(placed)
  await sinkIsThrough()
  const rowOf = async (docId: bigint) =>
    await runtime.clickHouse.sql.query('SELECT text FROM documents WHERE doc = {docId:UInt64}', { docId })
  await until(async () => (await rowOf(after.docId)).length === 1)

  // What was written in a schema that nobody has is written anew; what is still poison is refused again.
  const late = documentAt(2_000_000)
  const letters = await lettersOf(topics.documents.name)
  const unknown = letters.filter(({ letter }) => letter.reason === 'unknown-schema').slice(0, 1)
  const [sent] = await redrive(runtime, unknown, codec.encode(Document, late))
  expect(sent).toMatchObject({ topic: topics.documents.name, partition: 0 })
  await until(async () => (await rowOf(late.docId)).length === 1)
  const again = (await lettersOf(labelsOfShape)).filter(({ letter }) => letter.reason === 'bad-body')
  expect(await redrive(runtime, again)).toHaveLength(3)
  await until(async () => {
    const now = (await lettersOf(labelsOfShape)).filter(({ letter }) => letter.reason === 'bad-body')
    return now.length === 6
  })
  const huge = letters.filter(({ letter }) => letter.message.includes('are kept here')).slice(0, 1)
  expect(await redrive(runtime, huge)).toEqual([
    { offset: huge[0]!.offset, refused: expect.stringContaining(`${tenMegabytes + '10 MB'.length} bytes`) },
  ])

  const [rows] = await runtime.clickHouse.sql.query<Record<string, string>>(
    'SELECT count() AS rows, uniqExact(doc) AS documents FROM corpus FINAL WHERE isNotNull(at_document)',
  )
  // Of the whole corpus, the one behind the poison, and the mended one.
  expect(rows).toEqual({ rows: '10002', documents: '10002' })
})

test('poison in every topic of a run is kept with its reason, and the run is the same to the bit', async ({
  onTestFinished,
}) => {
  await fill(world, expected)
  const { run, played } = await play(world, 'nobody', onTestFinished)
  const of = runTopics(run.name)
  const named = <T extends object>(value: T) => ({ ...value, run: run.name })
  const readersOf = (topic: string) =>
    runStations(run).flatMap(({ name, reads }) => (reads.includes(topic) ? [name] : []))
  const places: [string, RecordType, object][] = [
    [of.progress.name, Progress, progressAfter(run, 0)],
    [of.rewardRequests.name, RewardRequest, named(expected.requests[0]!)],
    [of.rewards.name, Reward, named(expected.rewards[0]!)],
    [of.actorState.name, ActorState, named(expected.actorStates[0]!)],
    [of.consoleState.name, Manifest, named(expected.manifests[0]!)],
  ]
  const placed: Placed[] = []
  for (const [topic, record, good] of places) placed.push(...(await poison(topic, record, good, readersOf(topic))))
  await played()
  await expectLetters(placed)
  await expectConsole(world, run, expected)
  await expectActors(world, run, expected)
  await expectRewards(world, run, expected)
})
