import { beforeEach, expect, test, vi } from 'vitest'
import {
  asDocumentId,
  DeadLetter,
  Document,
  Gap,
  Label,
  LogPosition,
  labelsTopic,
  Manifest,
  RoundClosed,
  RoundOpened,
  runTopics,
  topics,
} from '../../../schemas/index.ts'
import { type Codec, createCodec } from '../../../services/runtime/codec.ts'
import { WinnowError } from '../../../services/runtime/errors.ts'
import { Gaps } from '../../../services/runtime/gaps.ts'
import { createLog } from '../../../services/runtime/log.ts'
import { forgetPositions, recordedPositions } from '../../../services/runtime/log-positions.ts'
import { runStation, type StationOptions } from '../../../services/runtime/station.ts'
import type { RunningStation } from '../../../topologies/dataflow.ts'
import type { Delivered, Output } from '../../../topologies/node.ts'
import { FakeKafka } from '../../support/fake-kafka.ts'

const documents = topics.documents.name
const labels = labelsTopic('q').name
const letters = topics.deadLetters.name
const { consoleState } = runTopics('r')
const log = createLog('test', 'silent')
const definition = (name: string, partitions = 1) => ({ name, partitions, cleanup: 'delete', retentionMs: -1 }) as const

const document = (docId: bigint, text = 'text'): Document => ({
  docId: asDocumentId(docId),
  text,
  tokens: 1,
  meta: '{}',
})
const labelOf = (docId: bigint): Label => ({
  docId: asDocumentId(docId),
  actor: 'q',
  subcategory: 0,
  score: 1,
  tokens: 1,
  version: 'a',
})

let kafka: FakeKafka
let codec: Codec

beforeEach(async () => {
  kafka = new FakeKafka()
  await kafka.createTopics([
    definition(documents),
    definition(labels, 2),
    definition(letters),
    definition(consoleState.name),
  ])
  codec = await createCodec({
    registry: 'mock://station',
    records: [Document, Label, DeadLetter, RoundOpened, RoundClosed, Manifest, Gap, LogPosition],
  })
})

/** Writes a document as it is, or raw bytes. */
async function write(...values: (Document | Buffer | null)[]): Promise<void> {
  const producer = await kafka.producer()
  const bytes = (value: Document | Buffer | null) =>
    value === null || Buffer.isBuffer(value) ? value : codec.encode(Document, value)
  await producer.send(values.map((value) => ({ topic: documents, key: 'k', value: bytes(value) })))
}

type Build = (output: Output) => Partial<RunningStation>

const labeler = { name: 'labeler q', reads: [documents], restoreFrom: [] }
const exclusive = { ...labeler, exclusive: true }

/** Starts a station that labels every document, unless told otherwise; `failure` resolves when it stops. */
async function start(build: Build = labelAll, options: Partial<StationOptions> = {}) {
  const sleeps: number[] = []
  let failed: (error: unknown) => void
  const failure = new Promise<unknown>((resolve) => (failed = resolve))
  const handle = await runStation({
    station: labeler,
    build: (output) => ({ process: async () => {}, ...build(output) }),
    kafka,
    codec,
    log,
    groupId: 'g',
    retries: { attemptsMax: 3, delayMsFirst: 10, delayMsMax: 1000, sleep: async (ms) => sleeps.push(ms) },
    onFailure: (error) => failed(error),
    ...options,
  })
  return { ...handle, failure, sleeps }
}

const labelAll: Build = (output) => ({
  process: async (batch) => {
    await output.send(
      (batch as Delivered<Document>[]).map(({ value: { docId } }) => ({
        ...{ topic: labels, record: Label, key: `${docId}`, value: labelOf(docId) },
      })),
    )
  },
})

/** Until the group has passed `offset` in the documents topic. */
async function passed(offset: number): Promise<void> {
  while ((kafka.committed.get(`g ${documents}[0]`) ?? 0) < offset) await new Promise((resolve) => setImmediate(resolve))
}

const labelled = async () =>
  (await Promise.all(kafka.records(labels).map(({ value }) => codec.decodeAs(Label, value!)))).map(({ docId }) => docId)
const deadLetters = () => Promise.all(kafka.records(letters).map(({ value }) => codec.decodeAs(DeadLetter, value!)))

test('every document is processed in order, and its offset is committed', async () => {
  await write(document(1n), document(2n))
  const station = await start()
  await passed(2)
  await write(document(3n))
  await passed(3)
  await station.close()
  expect((await labelled()).sort()).toEqual([1n, 2n, 3n])
  expect(station.stats()).toEqual({
    read: { [documents]: 3 },
    written: { [labels]: 3 },
    deadLetters: 0,
    retries: 0,
    positions: { [`${documents}[0]`]: 3 },
  })
})

test('a poison record goes to dead letters with bytes, reason and offset, and the rest is processed', async () => {
  const wrong = codec.encode(Label, labelOf(9n))
  await write(document(1n), Buffer.from('poison'), wrong, null, document(2n))
  const station = await start()
  await passed(5)
  await station.close()
  expect(await labelled()).toEqual(expect.arrayContaining([1n, 2n]))
  const found = await deadLetters()
  expect(found.map(({ reason, offset, value }) => [reason, offset, value])).toEqual([
    ['bad-framing', 1, Buffer.from('poison')],
    ['wrong-record', 2, wrong],
    ['bad-framing', 3, null],
  ])
  expect(found[1]).toMatchObject({
    station: 'labeler q',
    origin: `${documents}[0]@2`,
    message: `${documents}[0]@2: It is a Label; ${documents} holds Document.`,
    topic: documents,
    partition: 0,
    key: Buffer.from('k'),
  })
  expect(station.stats()).toMatchObject({ deadLetters: 3, read: { [documents]: 5 } })
})

test('a record that the station rejects is kept with its original bytes', async () => {
  await write(document(1n), document(2n))
  const station = await start((output) => ({
    process: async (batch) => output.deadLetter(batch[1]!, 'too-dull', 'document 2 is dull'),
  }))
  await passed(2)
  await station.close()
  expect(await deadLetters()).toMatchObject([
    {
      reason: 'too-dull',
      message: `${documents}[0]@1: document 2 is dull`,
      value: codec.encode(Document, document(2n)),
    },
  ])
})

test('a dead letter beyond the record limit is truncated, and says so', async () => {
  await write(Buffer.alloc(1_048_000, 1))
  const station = await start()
  await passed(1)
  await station.close()
  const [letter] = await deadLetters()
  expect(letter!.value).toHaveLength(982_964)
  expect(letter!.message).toMatch(/The first 982964 of 1048000 bytes are kept here/)
})

test('dead letters are written before the offset is committed', async () => {
  const order: string[] = []
  kafka.faults.send = (records) => order.push(`send ${records[0]!.topic}`)
  kafka.faults.commitOffset = (_group, topic, _partition, next) => order.push(`commit ${topic} ${next}`)
  await write(Buffer.from('poison'), document(1n))
  order.length = 0
  const station = await start()
  await passed(2)
  await station.close()
  expect(order).toEqual([`send ${labels}`, `send ${letters}`, `commit ${documents} 2`])
})

test('if dead letters cannot be written, the station stops and commits nothing', async () => {
  await write(Buffer.from('poison'))
  kafka.faults.send = (records) => {
    if (records[0]!.topic === letters) throw new WinnowError('CONFIGURATION', 'the topic does not exist')
  }
  const station = await start()
  expect(await station.failure).toMatchObject({ code: 'CONFIGURATION' })
  await station.close()
  expect(kafka.committed.size).toBe(0)
})

test('a retriable error is retried with growing waits, and rejects of a failed attempt are not doubled', async () => {
  await write(document(1n))
  let attempts = 0
  const station = await start((output) => ({
    process: async (batch) => {
      output.deadLetter(batch[0]!, 'dull', 'dull')
      if (++attempts < 3) throw new WinnowError('UNREACHABLE', 'the store is away')
    },
  }))
  await passed(1)
  await station.close()
  expect(station.sleeps).toEqual([10, 20])
  expect(await deadLetters()).toHaveLength(1)
  expect(station.stats().retries).toBe(2)
})

test('an error that persists too long stops the station, and the batch is delivered to the next one', async () => {
  await write(document(1n))
  const stopped = await start(() => ({
    process: async () => {
      throw new WinnowError('UNREACHABLE', 'the store is away')
    },
  }))
  expect(await stopped.failure).toMatchObject({ code: 'UNREACHABLE' })
  await stopped.close()
  expect(kafka.committed.size).toBe(0)
  const next = await start()
  await passed(1)
  await next.close()
  expect(await labelled()).toEqual([1n])
})

test('an error that is not retriable stops the station at once', async () => {
  await write(document(1n))
  const station = await start(() => ({
    process: async () => {
      throw new TypeError('a bug')
    },
  }))
  expect(await station.failure).toBeInstanceOf(TypeError)
  expect(station.sleeps).toEqual([])
  await station.close()
})

test('a station with state reads all of it before its first batch, and starts where the state says', async () => {
  const closed = (round: number): RoundClosed => ({
    run: 'r',
    round,
    reason: 'answered',
    rewardOffsets: [],
    missing: 0,
  })
  const producer = await kafka.producer()
  const value = (round: number) => codec.encode(RoundClosed, closed(round))
  await producer.send([
    { topic: consoleState.name, key: 'closed/0', value: value(0) },
    { topic: consoleState.name, key: 'closed/1', value: null },
    { topic: consoleState.name, key: 'closed/2', value: value(2) },
  ])
  await write(document(1n), document(2n), document(3n))
  const events: unknown[] = []
  const station = await start(
    () => ({
      restore: (records) => events.push(records.map((delivered) => (delivered.value as RoundClosed).round)),
      start: async () => void events.push('start'),
      startOffset: () => 1,
      process: async (batch) => void events.push(batch.map(({ offset }) => offset)),
    }),
    { station: { name: 'console', reads: [documents], restoreFrom: [consoleState.name] } },
  )
  // It is in a consumer group of its own, so the group's offsets say nothing here.
  await vi.waitFor(() => expect(events).toHaveLength(3))
  await station.close()
  expect(events).toEqual([[0, 2], 'start', [1, 2]])
})

test('a station does not start on memory that it cannot read', async () => {
  const producer = await kafka.producer()
  await producer.send([{ topic: consoleState.name, key: 'x', value: Buffer.from('garbage') }])
  const station = { name: 'console', reads: [documents], restoreFrom: [consoleState.name] }
  await expect(start(() => ({ restore: () => {} }), { station })).rejects.toMatchObject({
    code: 'BAD_DATA',
    message: expect.stringContaining(`${consoleState.name}[0]@0`),
  })
})

test('a station whose logs were made again while it was down makes nothing of them, not even a state, until a person accepts', async () => {
  const events: string[] = []
  const run = () =>
    start(
      () => ({
        restore: () => events.push('restore'),
        start: async () => void events.push('start'),
        startOffset: () => 0,
      }),
      {
        station: { name: 'console', reads: [documents], writes: [labels], restoreFrom: [consoleState.name] },
      },
    )
  const gaps = new Gaps({ kafka, codec })
  await (await run()).close()
  // A restart changes nothing.
  await (await run()).close()
  expect(events.splice(0)).toEqual(['restore', 'start', 'restore', 'start'])
  expect(await gaps.list()).toEqual([])

  await kafka.deleteTopics([consoleState.name])
  await kafka.createTopics([definition(consoleState.name)])
  const waiting = await run()
  await vi.waitFor(async () =>
    expect(await gaps.list()).toMatchObject([{ topic: consoleState.name, reason: 'recreated', station: 'console' }]),
  )
  // It can be stopped while it waits, and waits again.
  await waiting.close()
  const again = await run()
  expect(events).toEqual([])
  await gaps.write((await gaps.list()).map((gap) => ({ ...gap, accepted: true })))
  await vi.waitFor(() => expect(events).toEqual(['restore', 'start']), { timeout: 5000 })
  await again.close()
  // Once accepted, the new log is the station's.
  await (await run()).close()
  expect(events).toHaveLength(4)
})

test('what a station has seen of its logs is recorded with its end, by group, and forgotten with a deleted topic', async () => {
  await write(document(1n), document(2n))
  const first = await start(undefined, { station: { ...labeler, restoreFrom: [consoleState.name] } })
  await passed(2)
  await first.close()
  const id = `id 0 of ${consoleState.name}`
  expect(await recordedPositions(kafka, codec)).toEqual([
    {
      group: 'g',
      station: 'labeler q',
      topic: consoleState.name,
      partition: 0,
      topicId: id,
      offset: 0,
      leaderEpoch: null,
    },
  ])
  await forgetPositions(kafka, codec, new Set([consoleState.name]))
  expect(await recordedPositions(kafka, codec)).toEqual([])
})

test('an exclusive station sends in transactions only, and a newer instance stops an older one', async () => {
  // Each instance reads everything, as a console does.
  const build: Build = (output) => ({ ...labelAll(output), startOffset: () => 0 })
  const older = await start(build, { station: exclusive })
  await write(document(1n))
  await vi.waitFor(async () => expect(await labelled()).toEqual([1n]))
  // One record and the marker of its transaction.
  expect((await kafka.endOffsets(labels)).sort()).toEqual([0, 2])
  const newer = await start(build, { station: exclusive })
  await write(document(2n))
  expect(await older.failure).toMatchObject({ code: 'FENCED' })
  // The newer one read both; the older one's second label was not written.
  await vi.waitFor(async () => expect((await labelled()).sort()).toEqual([1n, 1n, 2n]))
  await Promise.all([older.close(), newer.close()])
  expect((await labelled()).sort()).toEqual([1n, 1n, 2n])
})

test('rejected records are in dead letters before a decision that moves the station’s own offsets is written', async () => {
  await write(document(1n))
  const lettersThen: number[] = []
  const station = await start(
    (output) => ({
      process: async ([delivered]) => {
        output.deadLetter(delivered!, 'bad', 'no')
        await output.transaction(async () => {
          const [end] = await kafka.endOffsets(letters)
          lettersThen.push(end!)
        })
      },
    }),
    { station: exclusive },
  )
  await passed(1)
  await station.close()
  expect(lettersThen).toEqual([1])
  expect(station.stats().deadLetters).toBe(1)
})

test('ticks run between batches, never during one, and a failing tick stops the station', async () => {
  let busy = false
  let ticks = 0
  const overlaps: number[] = []
  await write(document(1n))
  const station = await start(
    () => ({
      process: async () => {
        busy = true
        await new Promise((resolve) => setTimeout(resolve, 20))
        busy = false
      },
      tick: async () => {
        if (busy) overlaps.push(ticks)
        if (++ticks === 5) throw new WinnowError('GUARANTEE_VIOLATED', 'enough')
      },
    }),
    { station: { ...labeler, tickMs: 2 } },
  )
  expect(await station.failure).toMatchObject({ code: 'GUARANTEE_VIOLATED' })
  await station.close()
  expect(overlaps).toEqual([])
  expect(ticks).toBe(5)
})

test('a station that is retrying stops at once and without a failure when told to; its batch is delivered again', async () => {
  await write(document(1n))
  const trying = Promise.withResolvers<void>()
  let reported = false
  const station = await start(
    () => ({
      process: async () => {
        throw new WinnowError('UNREACHABLE', 'ClickHouse does not answer')
      },
    }),
    {
      retries: {
        attemptsMax: 30,
        delayMsFirst: 60_000,
        delayMsMax: 60_000,
        sleep: (_ms, signal) => {
          trying.resolve()
          return new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }))
        },
      },
      onFailure: () => {
        reported = true
      },
    },
  )
  await trying.promise
  await station.close()
  expect(reported).toBe(false)
  const again = await start()
  await passed(1)
  await again.close()
  expect(await labelled()).toEqual([1n])
})
