import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import {
  type ActorState,
  asDocumentId,
  DeadLetter,
  Label,
  labelsTopic,
  Progress,
  Reward,
  type RewardRequest,
  type RoundClosed,
  type RoundOpened,
  runTopics,
  topics,
} from '../../schemas/index.ts'
import { loadConfig } from '../../services/config/load.ts'
import {
  createCorpusTopics,
  createRunTopics,
  openRuntime,
  type Runtime,
} from '../../services/connections/connections.ts'
import { startLabeler, startLabelSink } from '../../services/host/corpus.ts'
import { ingest } from '../../services/ingest/ingest.ts'
import { noProgress } from '../../services/ingest/progress.ts'
import type { IngestResult } from '../../services/ingest/result.ts'
import { labelProgress } from '../../services/runs/label-progress.ts'
import { readTopic } from '../../services/runs/recorded.ts'
import { createClickHouse } from '../../services/runtime/clickhouse/client.ts'
import { systemClock } from '../../services/runtime/clock.ts'
import { consumerGroupOf } from '../../services/runtime/consumer-groups.ts'
import type { IncomingRecord } from '../../services/runtime/kafka/port.ts'
import { createLog } from '../../services/runtime/log.ts'
import { closeAll, type Service } from '../../services/runtime/service.ts'
import { runStation } from '../../services/runtime/station.ts'
import { decidingStations, labelerStation, type Ports, type Station } from '../../topologies/dataflow.ts'
import type { Output } from '../../topologies/node.ts'
import { parseRunConfig } from '../../topologies/run-config.ts'
import { removeCorpusTopics } from '../support/corpus-topics.ts'
import { until } from '../support/kafka.ts'

// Everything that can be wrong with what comes in, through the stations as they run, on a real broker: what is refused is in dead letters
// with its reason, its place and its bytes, and everything around it has gone on.

const id = randomUUID().slice(0, 8)
const [domain, quality] = [`domain-${id}`, `quality-${id}`]
const folder = mkdtempSync(join(tmpdir(), 'winnow-bad-'))
const failures: unknown[] = []
const fail = (error: unknown) => void failures.push(error)
const services: Service[] = []
let runtime: Runtime
let versions: Map<string, string>
let ingested: IngestResult

const row = (text: string, set = 'RedPajamaC4') => JSON.stringify({ text, meta: { redpajama_set_name: set } })
const notUtf8 = Buffer.concat([Buffer.from('{"text": "'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')])
const lines: Buffer[] = [
  Buffer.from(row('a good one')),
  Buffer.from('{"text": "it breaks off'),
  Buffer.from('{"meta": {"redpajama_set_name": "RedPajamaC4"}}'),
  Buffer.from(row('from nowhere', 'RedPajamaNowhere')),
  // Neither 8 MiB as it is nor compressed.
  Buffer.from(row(randomBytes(9_000_000).toString('base64'))),
  Buffer.from(row('immeasurable')),
  notUtf8,
  Buffer.from(row('another good one', 'RedPajamaBook')),
]
const bad = join(folder, 'bad.jsonl')
const cut = join(folder, 'cut.jsonl.gz')

beforeAll(async () => {
  writeFileSync(bad, Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')])))
  // Random letters do not compress, so half of the file holds about half of the rows.
  const whole = gzipSync(Array.from({ length: 40 }, () => `${row(randomBytes(2000).toString('hex'))}\n`).join(''))
  writeFileSync(cut, whole.subarray(0, whole.length / 2))
  const labeler = { kind: 'metadata' }
  writeFileSync(
    join(folder, 'winnow.yaml'),
    JSON.stringify({
      actors: {
        [domain]: { subcategories: ['C4', 'Book'], labeler },
        [quality]: { subcategories: ['low', 'high'], labeler },
      },
    }),
  )
  const config = loadConfig({ folder, env: {} })
  const database = `bad_${id}`
  const server = await createClickHouse({ url: inject('clickhouseUrl') })
  await server.sql.command(`CREATE DATABASE ${database}`)
  await server.close()
  runtime = await openRuntime(
    {
      brokers: inject('brokers'),
      registryUrl: inject('registryUrl'),
      clickhouseUrl: inject('clickhouseUrl'),
      database,
    },
    createLog('test', 'warn'),
  )
  await removeCorpusTopics(runtime.kafka)
  await createCorpusTopics(runtime.kafka, config)
  const metadata = await startLabeler(runtime, config, config.actors[0]!, fail)
  services.push(metadata, await startQuality(), await startLabelSink(runtime, config, fail))
  versions = new Map([
    [domain, metadata.labeler.version],
    [quality, 'v1'],
  ])
  ingested = await ingest({
    ...runtime,
    paths: [bad, cut],
    clock: systemClock,
    progress: noProgress,
    nameOptions: { prefix: id },
  })
  const documents = ingested.documents
  await until(async () => {
    const progress = await labelProgress(runtime, versions)
    return progress.documents === documents && progress.complete + progress.refused === documents
  })
})

afterAll(async () => {
  await closeAll(services)
  await runtime?.close()
  rmSync(folder, { recursive: true, force: true })
})

const start = async <P>(station: Station<P>, ports: P, groupId: string): Promise<Service> => {
  const build = (output: Output) => station.build(ports, output)
  const handle = await runStation({ ...runtime, station, build, groupId, onFailure: fail })
  return { name: station.name, close: () => handle.close() }
}

/** A model whose score of one document is no number. */
const startQuality = async (): Promise<Service> => {
  const station = labelerStation(quality)
  const label: ReturnType<Ports['labelModel']>['label'] = async (inputs) =>
    inputs.map(({ text }) =>
      text === 'immeasurable'
        ? { ok: false, reason: 'non-finite-score', message: 'the score is NaN' }
        : { ok: true, subcategory: 1, score: 3.5 },
    )
  return await start(station, { labelModel: () => ({ actor: quality, version: 'v1', label }) }, `labeler-${id}`)
}

async function deadLetters(of: (letter: DeadLetter) => boolean): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = []
  for await (const records of runtime.kafka.read(topics.deadLetters.name)) {
    for (const { value } of records) letters.push(await runtime.codec.decodeAs(DeadLetter, value!))
  }
  return letters.filter(of)
}

async function recordAt(topic: string, partition: number, offset: number): Promise<IncomingRecord | undefined> {
  const ends = await runtime.kafka.endOffsets(topic)
  const from = ends.map((end, other) => (other === partition ? offset : end))
  for await (const [first] of runtime.kafka.read(topic, from)) return first
  return undefined
}

test('rows that are not documents go to dead letters with file, line and bytes, and the rows around them are ingested', async () => {
  const letters = await deadLetters(({ file }) => file === bad)
  expect(letters.map(({ line, reason, origin, station }) => ({ line, reason, origin, station }))).toEqual([
    { line: 2, reason: 'not-json', origin: `${bad}:2`, station: 'ingest' },
    { line: 3, reason: 'no-text', origin: `${bad}:3`, station: 'ingest' },
    { line: 5, reason: 'too-large', origin: `${bad}:5`, station: 'ingest' },
    { line: 7, reason: 'not-utf8', origin: `${bad}:7`, station: 'ingest' },
  ])
  for (const { line, value, reason } of letters) {
    const kept = Buffer.from(value!)
    expect(kept.equals(lines[line! - 1]!.subarray(0, kept.length))).toBe(true)
    expect(kept.length, reason).toBe(reason === 'too-large' ? kept.length : lines[line! - 1]!.length)
  }
  expect(letters[2]!.value!.length).toBeGreaterThan(900_000)
  expect(letters[2]!.message).toContain(`of ${lines[4]!.length} bytes`)
  expect(ingested.sources[0]).toMatchObject({ outcome: 'ingested', documents: 4, rejected: 4 })
})

test('a truncated .gz is ingested up to the break, and reported as damaged by name', async () => {
  const [letter, ...more] = await deadLetters(({ file }) => file === cut)
  expect(more).toEqual([])
  const { documents, outcome } = ingested.sources[1]!
  expect(outcome).toBe('damaged')
  expect(ingested.failed).toBe(1)
  expect(documents).toBeGreaterThan(10)
  expect(documents).toBeLessThan(30)
  expect(letter).toMatchObject({ reason: 'truncated-file', line: documents + 1, origin: `${cut}:${documents + 1}` })
})

test('a document with an unknown domain or a non-numeric score is refused by that labeler only, and all others are labelled', async () => {
  const letters = await deadLetters(({ station }) => station.includes(id) || station.startsWith('labeler '))
  expect(
    letters.map(({ station, reason }) => ({ station, reason })).sort((a, b) => (a.reason < b.reason ? -1 : 1)),
  ).toEqual([
    { station: `labeler ${quality}`, reason: 'non-finite-score' },
    { station: `labeler ${domain}`, reason: 'unknown-domain' },
  ])
  for (const { topic, partition, offset, value, message } of letters) {
    expect(topic).toBe(topics.documents.name)
    expect(message).toMatch(new RegExp(`^winnow\\.documents\\[${partition}\\]@${offset}: document \\d+, actor`))
    const original = await recordAt(topic!, partition!, offset!)
    expect(Buffer.from(value!).equals(original!.value!)).toBe(true)
  }
  const { documents, complete, refused } = await labelProgress(runtime, versions)
  expect({ documents, complete, refused }).toEqual({
    documents: ingested.documents,
    complete: ingested.documents - 2,
    refused: 2,
  })
})

test('bytes that are not a record, and labels whose score is not a number, stop neither labelers nor sink', async () => {
  const producer = await runtime.kafka.producer()
  const [noRecord] = await producer.send([
    { topic: topics.documents.name, key: 'k', partition: 0, value: Buffer.from('not framed') },
  ])
  const label: Label = {
    docId: asDocumentId(1n),
    actor: quality,
    subcategory: 0,
    score: Number.NaN,
    tokens: 1,
    version: 'v1',
  }
  const bytes = runtime.codec.encode(Label, label)
  const [noNumber] = await producer.send([{ topic: labelsTopic(quality).name, key: '1', partition: 0, value: bytes }])
  const good = { ...label, docId: asDocumentId(2n), score: 1 }
  await producer.send([
    { topic: labelsTopic(quality).name, key: '2', partition: 0, value: runtime.codec.encode(Label, good) },
  ])
  await producer.close()
  const found = async (topic: string, offset: number) =>
    await deadLetters((letter) => letter.topic === topic && letter.partition === 0 && letter.offset === offset)
  await until(async () => (await found(topics.documents.name, noRecord!.offsetFirst)).length === 3)
  await until(async () => (await found(labelsTopic(quality).name, noNumber!.offsetFirst)).length === 1)
  const refusedByAll = await found(topics.documents.name, noRecord!.offsetFirst)
  expect(new Set(refusedByAll.map(({ station }) => station))).toEqual(
    new Set([`labeler ${domain}`, `labeler ${quality}`, 'label sink']),
  )
  for (const { reason, value } of refusedByAll) {
    expect(reason).toBe('bad-framing')
    expect(Buffer.from(value!).toString()).toBe('not framed')
  }
  const [letter] = await found(labelsTopic(quality).name, noNumber!.offsetFirst)
  expect(letter).toMatchObject({ station: 'label sink', reason: 'non-finite-score' })
  expect(Buffer.from(letter!.value!).equals(bytes)).toBe(true)
  await until(async () => {
    const rows = await runtime.clickHouse.sql.query('SELECT doc FROM corpus WHERE doc = 2')
    return rows.length > 0
  })
  expect(await runtime.clickHouse.sql.query('SELECT doc FROM corpus WHERE doc = 1')).toEqual([])
})

test('rewards that are not numbers, or that nobody requested, are refused, and the round closes with the valid ones', async () => {
  const run = parseRunConfig({
    name: `bad-${id}`,
    selection: {
      seed: 3,
      actors: {
        [domain]: { subcategories: ['C4', 'Book'] },
        [quality]: { subcategories: ['low', 'high'] },
      },
      budget: { documents: 3 },
    },
    updateSteps: 10,
    steps: 20,
    sampleDocuments: 2,
    labelers: Object.fromEntries(versions),
    reference: { reward: 'r', evaluation: 'e', corpus: 'c' },
    model: 'm',
    checkpoints: folder,
  })
  const of = runTopics(run.name)
  await createRunTopics(runtime.kafka, run)
  const console: Ports['console'] = { now: systemClock, selections: { selection: async function* () {} } }
  for (const station of decidingStations(run)) {
    const groupId = consumerGroupOf(station, { run: run.name })
    services.push(await start(station, { store: runtime.store, console }, groupId))
  }
  const decided = async (record: string) =>
    (await readTopic(runtime, of.consoleState.name)).filter((one) => one.record === record)
  await until(async () => (await decided('Manifest')).length === 1)

  const producer = await runtime.kafka.producer()
  const checkpoint = { path: 'step-10', digest: 'right', step: 10 }
  const progress: Progress = {
    run: run.name,
    step: 10,
    tokens: 100,
    round: 0,
    position: 3,
    trainLoss: 1,
    referenceLoss: null,
    corpusLoss: null,
    checkpoint,
  }
  await producer.send([{ topic: of.progress.name, key: run.name, value: runtime.codec.encode(Progress, progress) }])
  await until(async () => (await decided('RoundOpened')).length === 2)
  const opened = (await decided('RoundOpened')).at(-1)!.value as RoundOpened
  const asked = opened.samples.reduce((sum, { docIds }) => sum + docIds.length, 0)
  expect(asked).toBeGreaterThan(2)
  const requested = async () =>
    (await readTopic(runtime, of.rewardRequests.name)).map(({ value }) => value as RewardRequest)
  // The partitions of a transaction become visible one after the other.
  await until(async () => (await requested()).length === asked)
  const requests = await requested()

  const answer = ({ round, actor, docId }: RewardRequest, change: Partial<Reward> = {}): Uint8Array =>
    runtime.codec.encode(Reward, {
      run: run.name,
      round,
      actor,
      docId,
      reward: 0.5,
      checkpointDigest: checkpoint.digest,
      graphDigest: 'g',
      estimator: 'e',
      projectionSeed: '0',
      taskRewards: null,
      ...change,
    })
  const send = async (value: Uint8Array) =>
    (await producer.send([{ topic: of.rewards.name, key: 'k', partition: 0, value }]))[0]!.offsetFirst
  const last = requests.at(-1)!
  const wrong: { reason: string; value: Uint8Array }[] = [
    { reason: 'not-finite', value: answer(last, { reward: Number.NaN }) },
    { reason: 'not-finite', value: answer(last, { reward: Number.POSITIVE_INFINITY }) },
    { reason: 'unknown-round', value: answer(last, { round: 99 }) },
    { reason: 'unknown-round', value: answer(last, { run: 'another' }) },
    { reason: 'unknown-actor', value: answer(last, { actor: 'weather' }) },
    { reason: 'unknown-document', value: answer(last, { docId: asDocumentId(2n ** 63n) }) },
    { reason: 'wrong-checkpoint', value: answer(last, { checkpointDigest: 'older' }) },
    { reason: 'bad-framing', value: Buffer.from('no reward') },
  ]
  const refused: { reason: string; value: Uint8Array; offset: number }[] = []
  for (const one of wrong) refused.push({ ...one, offset: await send(one.value) })
  for (const request of requests) await send(answer(request))
  await until(async () => (await decided('Manifest')).length === 2)
  const late = answer(last, { reward: 9 })
  refused.push({ reason: 'late', value: late, offset: await send(late) })

  const ofConsole = () => deadLetters(({ topic, station }) => topic === of.rewards.name && station === 'console')
  await until(async () => (await ofConsole()).length === refused.length)
  // What cannot be decoded is told before what the station refuses of the same batch.
  const letters = (await ofConsole()).sort((a, b) => a.offset! - b.offset!)
  for (const [i, { reason, value, offset }] of refused.entries()) {
    expect(letters[i]).toMatchObject({ reason, partition: 0, offset, origin: `${of.rewards.name}[0]@${offset}` })
    expect(Buffer.from(letters[i]!.value!).equals(value), reason).toBe(true)
  }
  await producer.close()
  const closed = (await decided('RoundClosed'))
    .map(({ value }) => value as RoundClosed)
    .find(({ round }) => round === 1)
  expect(closed).toMatchObject({ reason: 'answered', missing: 0 })
  const states = (await readTopic(runtime, of.actorState.name)).map(({ value }) => value as ActorState)
  const folded = states.filter(({ round }) => round === 1)
  expect(folded.map(({ actor }) => actor).sort()).toEqual([domain, quality].sort())
  // All good rewards are 0.5 and eta is 0.1: 0.9 * 0.5 + 0.1 * 0.5 where there was one (Eq. 5), and 0.5 kept where there was none.
  for (const { weights } of folded) expect(weights).toEqual([0.5, 0.5])
})

test('none of this stopped a service', () => {
  expect(failures).toEqual([])
})
