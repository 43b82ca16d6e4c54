import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { allRecords, Document, Label, labelsTopic, topics } from '../../schemas/index.ts'
import { type Codec, createCodec } from '../../services/runtime/codec.ts'
import { createKafka } from '../../services/runtime/kafka/kafkajs.ts'
import type { Kafka } from '../../services/runtime/kafka/port.ts'
import { createLog } from '../../services/runtime/log.ts'
import { runStation } from '../../services/runtime/station.ts'
import { labelerStation } from '../../topologies/dataflow.ts'
import { readAll, until } from '../support/kafka.ts'
import { brokersCanBeStarted, startBrokers, type TestBrokers } from './brokers.ts'
import { repeatsOf, seed, seededFor } from './cases.ts'
import { documentAt, labelModel } from './corpus.ts'

// kafkajs is loud about what these tests do to it.
const log = createLog('test', 'fatal')
const actor = 'shape'
let codec: Codec
beforeAll(async () => {
  codec = await createCodec({ registry: inject('registryUrl'), records: allRecords })
})

/** A client of the brokers, with the topics of a corpus. */
async function connected({ addresses }: TestBrokers): Promise<Kafka> {
  const kafka = createKafka({ brokers: addresses, clientId: 'test', log })
  const forever = { cleanup: 'delete', retentionMs: -1 } as const
  await kafka.createTopics([
    { name: topics.documents.name, partitions: 3, ...forever },
    { name: labelsTopic(actor).name, partitions: 3, ...forever },
    { name: topics.deadLetters.name, partitions: 1, ...forever },
  ])
  return kafka
}

let written = 0
/** Writes documents, a few at a time, until it is told to stop; gives the ids that were acknowledged, and those whose fate is unknown. */
function writer(kafka: Kafka) {
  const acknowledged: bigint[] = []
  const unknown: bigint[] = []
  let stopping = false
  const done = (async () => {
    const producer = await kafka.producer()
    while (!stopping) {
      const documents = Array.from({ length: 10 }, () => documentAt(10_000_000 + written++))
      const ids = documents.map(({ docId }) => docId)
      try {
        const records = documents.map((value) => ({
          topic: topics.documents.name,
          key: `${value.docId}`,
          value: codec.encode(Document, value),
        }))
        await producer.send(records)
        acknowledged.push(...ids)
      } catch {
        unknown.push(...ids)
      }
      await sleep(20)
    }
    await producer.close()
  })()
  const stop = async () => {
    stopping = true
    await done
  }
  return { acknowledged, unknown, stop }
}

const idsIn = async (kafka: Kafka, topic: string, record: typeof Document | typeof Label): Promise<bigint[]> =>
  await Promise.all(
    (await readAll(kafka, topic)).map(async ({ value }) => (await codec.decodeAs(record, value!)).docId),
  )

/** A labeler on the brokers while `fault` is done to them, with documents written all the time. */
async function labelThrough(brokers: TestBrokers, fault: () => Promise<void>) {
  const kafka = await connected(brokers)
  const station = labelerStation(actor)
  const failures: unknown[] = []
  const labeler = await runStation({
    station,
    build: (output) => station.build({ labelModel }, output),
    kafka,
    codec,
    log,
    groupId: `labeler-${randomUUID()}`,
    onFailure: (error) => failures.push(error),
  })
  const { acknowledged, stop } = writer(kafka)
  await until(() => acknowledged.length > 20)
  await fault()
  const reached = acknowledged.length
  // It goes on by itself.
  await until(() => acknowledged.length > reached + 50, 60_000)
  await stop()
  const inTopic = await idsIn(kafka, topics.documents.name, Document)
  const unlabelled = async () => without(inTopic, await idsIn(kafka, labelsTopic(actor).name, Label))
  await expect.poll(unlabelled, { interval: 300, timeout: 60_000 }).toEqual([])
  expect(failures).toEqual([])
  await labeler.close()
  await kafka.close()
  expectKept(acknowledged, inTopic)
}

/** What was acknowledged is there, and nothing is there twice. */
function expectKept(acknowledged: readonly bigint[], inTopic: readonly bigint[]): void {
  expect(inTopic).toHaveLength(new Set(inTopic).size)
  expect(without(acknowledged, inTopic)).toEqual([])
}

function without(ids: readonly bigint[], those: readonly bigint[]): bigint[] {
  const known = new Set(those)
  return ids.filter((id) => !known.has(id))
}

describe.skipIf(!brokersCanBeStarted)('one broker behind a proxy (skipped without Java)', () => {
  let brokers: TestBrokers
  beforeAll(async () => {
    brokers = await startBrokers(1)
  })
  afterAll(() => brokers?.close())

  const repeats = repeatsOf({ landing: 1, soak: 20 })
  const random = seededFor('brokers')
  const pause = async () => void (await sleep(1500 + random.below(1500)))
  const faults: Record<string, () => Promise<void>> = {
    'every connection is reset': async () => brokers.brokers[0]!.proxy.reset(),
    'nobody gets through for some seconds': async () => {
      brokers.brokers[0]!.proxy.cut()
      await pause()
    },
    'requests are held up': async () => {
      brokers.brokers[0]!.proxy.hold({ toServer: true })
      await pause()
    },
    'answers are held up': async () => {
      brokers.brokers[0]!.proxy.hold({ toClient: true })
      await pause()
    },
    'requests are lost with their connections': async () => {
      brokers.brokers[0]!.proxy.hold({ toServer: true })
      await pause()
      brokers.brokers[0]!.proxy.heal({ lost: true })
    },
    'answers are lost with their connections': async () => {
      brokers.brokers[0]!.proxy.hold({ toClient: true })
      await pause()
      brokers.brokers[0]!.proxy.heal({ lost: true })
    },
    'everything is slow': async () => {
      brokers.brokers[0]!.proxy.slow(100)
      await pause()
    },
    'the broker does what it is asked and its next ten answers are lost': async () => {
      const { proxy } = brokers.brokers[0]!
      const before = proxy.answersDropped
      proxy.loseAnswers(10)
      await until(() => proxy.answersDropped === before + 10)
    },
  }
  const cases = Object.keys(faults).flatMap((name) => Array.from({ length: repeats }, () => name))

  test.for(cases)(`nothing is lost and nothing takes effect twice if %s (WINNOW_FAULT_SEED=${seed})`, async (name) => {
    await labelThrough(brokers, async () => {
      await faults[name]!()
      brokers.brokers[0]!.proxy.heal()
    })
  })

  const kills = Array.from({ length: repeatsOf({ landing: 3, soak: 30 }) }, (_, repeat) => repeat)
  test.for(kills)(
    'a broker killed three times keeps everything acknowledged, and all clients continue (%d)',
    async () => {
      await labelThrough(brokers, async () => {
        for (let kill = 0; kill < 3; kill++) {
          await brokers.brokers[0]!.kill()
          await brokers.brokers[0]!.start()
          await sleep(300)
        }
      })
    },
  )
})

describe.skipIf(!brokersCanBeStarted)('three brokers (skipped without Java)', () => {
  let brokers: TestBrokers
  beforeAll(async () => {
    brokers = await startBrokers(3)
  })
  afterAll(() => brokers?.close())

  const ones = Array.from({ length: repeatsOf({ landing: 1, soak: 20 }) }, (_, repeat) => repeat)
  test.for(ones)('with one of three brokers down nothing is lost (%d)', async (repeat) => {
    const one = brokers.brokers[seededFor(`one of three/${repeat}`).below(3)]!
    await labelThrough(brokers, async () => {
      await one.kill()
      await sleep(3000)
    })
    await one.start()
  })

  const twos = Array.from({ length: repeatsOf({ landing: 1, soak: 10 }) }, (_, repeat) => repeat)
  test.for(twos)(
    'with two of three brokers down writes are refused, none is acknowledged and lost, and everything continues when they are back (%d)',
    {
      timeout: 240_000,
    },
    async (repeat) => {
      const kafka = await connected(brokers)
      const { acknowledged, unknown, stop } = writer(kafka)
      await until(() => acknowledged.length > 20)
      const left = seededFor(`two of three/${repeat}`).below(3)
      const dead = brokers.brokers.filter((_, i) => i !== left)
      await Promise.all(dead.map((broker) => broker.kill()))
      // What was on its way may still be acknowledged by three, and nothing after.
      await sleep(1000)
      const before = acknowledged.length
      await until(() => unknown.length > 0, 120_000)
      expect(acknowledged.length).toBe(before)
      await Promise.all(dead.map((broker) => broker.start()))
      await until(() => acknowledged.length > before + 20, 60_000)
      await stop()
      expectKept(acknowledged, await idsIn(kafka, topics.documents.name, Document))
      await kafka.close()
    },
  )
})
