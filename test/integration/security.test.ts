import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SASLOptions } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import {
  allRecords,
  Document,
  labelsTopic,
  type Manifest,
  Progress,
  runTopics,
  type TopicSpec,
  topics,
} from '../../schemas/index.ts'
import { type Codec, createCodec } from '../../services/runtime/codec.ts'
import { consumerGroupOf, groupNamed } from '../../services/runtime/consumer-groups.ts'
import { createKafka, type KafkaOptions } from '../../services/runtime/kafka/kafkajs.ts'
import type { Kafka } from '../../services/runtime/kafka/port.ts'
import { createLog } from '../../services/runtime/log.ts'
import { runStation } from '../../services/runtime/station.ts'
import { dataflow, type Ports } from '../../topologies/dataflow.ts'
import { MemoryStore } from '../../topologies/memory-store.ts'
import { readAll, until } from '../support/kafka.ts'
import { type SecureBroker, startSecureBroker, unsecuredToken } from '../support/secure-broker.ts'
import { documents, rewardOf, subcategoryOf, tinyRun } from '../topologies/loop.ts'
import { runToServe } from './secured-stations.ts'
import { pythonMissing, recordedFor } from './secured-trainer.ts'

const services = ['ingest', 'labeler', 'label-sink', 'influence', 'actor', 'console', 'trainer', 'reader', 'admin']
/** Runs several services in one process. */
const several = 'stations'
const passwordOf = (user: string) => `secret-of-${user}`
const log = createLog('test', 'error')
const root = join(import.meta.dirname, '../..')

const started = await startSecureBroker(
  Object.fromEntries([...services, several].map((user) => [user, passwordOf(user)])),
)
const missing = typeof started === 'string' ? started : undefined
const broker = started as SecureBroker
const run = tinyRun({}, { sampleDocuments: 2 })
const folder = mkdtempSync(join(tmpdir(), 'winnow-security-'))
afterAll(async () => {
  if (missing === undefined) await broker.stop()
  rmSync(folder, { recursive: true, force: true })
})

type Login = Pick<KafkaOptions, 'sasl' | 'ssl'>

const scram = (user: string): SASLOptions => ({
  mechanism: 'scram-sha-256',
  username: user,
  password: passwordOf(user),
})

function client(address: string, login: Login): Kafka {
  const kafka = createKafka({ brokers: [address], clientId: 'test', log, ...login })
  onTestFinished(() => kafka.close())
  return kafka
}
const as = (user: string) => client(broker.sasl, { sasl: scram(user) })

/** The program itself, as a person runs it. */
function winnow(args: string[], env: NodeJS.ProcessEnv): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const { PATH, HOME } = process.env
    const own = { PATH, HOME, ...env }
    execFile(
      process.execPath,
      [join(root, 'deploy/bin.mjs'), ...args],
      { cwd: folder, env: own },
      (error, out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code), output: out + err })
      },
    )
  })
}

describe.skipIf(missing !== undefined)(
  `a broker with logins and permissions${missing ? ` (skipped: ${missing})` : ''}`,
  () => {
    beforeAll(async () => {
      const kafka = createKafka({ brokers: [broker.open], clientId: 'test', log })
      const specs: TopicSpec[] = [
        ...Object.values(topics),
        ...run.selection.actors.map(({ name }) => labelsTopic(name)),
        ...Object.values(runTopics(run.name)),
      ]
      await kafka.createTopics(
        specs.map(({ name, partitions, cleanup, retentionMs }) => ({
          name,
          partitions: typeof partitions === 'string' ? 2 : partitions,
          cleanup,
          retentionMs,
        })),
      )
      await kafka.close()
      for (const service of services) {
        const actors = service === 'labeler' ? run.selection.actors.map(({ name }) => name) : ['any']
        for (const actor of actors) {
          const args = [
            'acls',
            service,
            '--principal',
            `User:${service}`,
            '--actor',
            actor,
            '--run',
            run.name,
            '--apply',
          ]
          const { code, output } = await winnow(args, { WINNOW_BROKERS: broker.open })
          expect(code, output).toBe(0)
        }
      }
    }, 120_000)

    const mechanisms: SASLOptions[] = [
      { mechanism: 'plain', username: 'reader', password: passwordOf('reader') },
      scram('reader'),
      { mechanism: 'scram-sha-512', username: 'reader', password: passwordOf('reader') },
      { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: unsecuredToken('reader') }) },
    ]

    test.each(mechanisms)('$mechanism logs in', async (sasl) => {
      expect(await client(broker.sasl, { sasl }).topicNames()).toContain(topics.documents.name)
    })

    test.skipIf(missing === undefined && broker.tls === undefined)(
      'every mechanism logs in over TLS with a private certificate authority (skipped without openssl)',
      async () => {
        const ssl = { ca: readFileSync(broker.ca, 'utf8') }
        for (const sasl of mechanisms) {
          expect(await client(broker.tls!, { sasl, ssl }).topicNames()).toContain(topics.documents.name)
        }
        // A broker whose certificate nobody vouches for is not spoken to.
        await expect(client(broker.tls!, { sasl: mechanisms[0]!, ssl: {} }).topicNames()).rejects.toMatchObject({
          code: 'UNREACHABLE',
        })
      },
    )

    test('a wrong password is a configuration error whose message does not repeat it', async () => {
      const wrong = client(broker.sasl, { sasl: { mechanism: 'plain', username: 'reader', password: 'wrong-secret' } })
      const refusal = await wrong.topicNames().catch((error: unknown) => error)
      expect(refusal).toMatchObject({ code: 'CONFIGURATION', message: expect.not.stringContaining('wrong-secret') })
    })

    test('every station of the dataflow does its work with the permissions of its service alone', async () => {
      const codec = await createCodec({ registry: 'mock://security', records: allRecords })
      const failures: unknown[] = []
      const closing = await startStations(codec, failures)
      await write(as('ingest'), codec, 'winnow-ingest')
      const manifests = async () => {
        const decided = await readAll(as('reader'), runTopics(run.name).consoleState.name)
        const values = await Promise.all(decided.map(({ value }) => codec.decode(value!)))
        return values.filter(({ record }) => record === 'Manifest').map(({ value }) => (value as Manifest).round)
      }
      await until(async () => failures.length > 0 || (await manifests()).includes(0))
      await report(as('trainer'), codec)
      await until(async () => failures.length > 0 || (await manifests()).includes(1))
      await Promise.all(closing.map((close) => close()))
      expect(failures).toEqual([])
      expect(await manifests()).toEqual([0, 1])
    })

    const foreign: [service: string, topic: string][] = [
      ['labeler', topics.documents.name],
      ['influence', runTopics(run.name).actorState.name],
      ['actor', runTopics(run.name).rewards.name],
      ['trainer', runTopics(run.name).selections.name],
      ['reader', topics.deadLetters.name],
    ]

    test.each(foreign)('%s may not write to %s', async (service, topic) => {
      const writing = async () => {
        const producer = await as(service).producer()
        await producer.send([{ topic, key: 'k', value: Buffer.from('v') }])
      }
      await expect(writing()).rejects.toMatchObject({ code: 'CONFIGURATION' })
    })

    test.skipIf(pythonMissing !== undefined)(
      'the trainer in Python trains with the permissions of a trainer alone',
      async () => {
        const { run, train, reports } = await recordedFor(broker, folder)
        const login = (user: string) => ({
          ...{ WINNOW_KAFKA_SASL: 'scram-sha-256', WINNOW_KAFKA_USERNAME: user },
          WINNOW_KAFKA_PASSWORD: passwordOf(user),
        })
        const args = ['acls', 'trainer', '--principal', 'User:trainer', '--run', run, '--apply']
        const { code, output } = await winnow(args, { WINNOW_BROKERS: broker.open })
        expect(code, output).toBe(0)
        const trained = await train(login('trainer'))
        expect(trained, trained.stderr).toMatchObject({ code: 0, steps: 4 })
        expect((await reports()).at(-1)).toMatchObject({ step: 4, checkpoint: { step: 4 } })
        // Somebody else is told so at once.
        const refused = await train(login('labeler'))
        expect(refused).toMatchObject({ code: 3, steps: 0 })
        expect(refused.stderr).toContain('winnow acls prints the permissions of a trainer')
        expect(refused.stderr).not.toContain(passwordOf('labeler'))
      },
      120_000,
    )

    test('who may not create topics is told which are missing, and what an administrator calls', async () => {
      const missing = ['winnow.missing-a', 'winnow.missing-b']
      const definitions = missing.map((name) => ({
        ...{ name, partitions: 1, cleanup: 'delete' as const, retentionMs: -1 },
      }))
      const refusal = await as('reader')
        .createTopics(definitions)
        .catch((error: unknown) => error)
      expect(refusal).toMatchObject({
        code: 'CONFIGURATION',
        message: `2 topics are missing, which this login may not create: ${missing.join(', ')}`,
        hint: expect.stringContaining('winnow topics --create'),
      })
    })

    test('winnow run stations serves a run, and keeps what is read, with the permissions of its stations alone', async () => {
      const { run, serve, report, manifests, exposures } = await runToServe(broker, folder)
      const created = await winnow(['topics', '--create'], {
        ...{ WINNOW_BROKERS: broker.open, WINNOW_REGISTRY_URL: inject('registryUrl') },
        WINNOW_CLICKHOUSE_URL: inject('clickhouseUrl'),
      })
      expect(created.code, created.output).toBe(0)
      for (const service of ['influence', 'actor', 'console']) {
        const args = ['acls', service, '--principal', `User:${several}`, '--run', run, '--apply']
        const { code, output } = await winnow(args, { WINNOW_BROKERS: broker.open })
        expect(code, output).toBe(0)
      }
      const stations = serve({
        ...{ WINNOW_KAFKA_SASL: 'scram-sha-256', WINNOW_KAFKA_USERNAME: several },
        WINNOW_KAFKA_PASSWORD: passwordOf(several),
      })
      for (const round of [0, 1, 2]) {
        if (round > 0) await report(round)
        await until(async () => !stations.isUp() || (await manifests()).length > round)
      }
      await until(async () => !stations.isUp() || (await exposures()).size === 2)
      expect(await stations.stop(), stations.output()).toBe(0)
      expect((await manifests()).map(({ round }) => round)).toEqual([0, 1, 2])
      expect(await exposures()).toEqual(new Map([0, 1].map((round) => [round, 5])))
      expect(stations.output()).not.toMatch(/warn|ermission|uthoriz/i)
    }, 120_000)

    test('a service may not read topics of other services, nor use a console’s transactional id', async () => {
      const producer = await as('ingest').producer()
      await producer.send([{ topic: topics.documents.name, key: 'k', value: Buffer.from('poison') }])
      await expect(readAll(as('trainer'), topics.documents.name)).rejects.toThrow(/ermission|uthoriz/)
      await expect(as('trainer').producer({ transactionalId: groupNamed('console', run.name) })).rejects.toThrow()
    })

    test('secrets appear in no output, even at the most verbose level, and in no dead letter', {
      timeout: 300_000,
    }, async () => {
      const password = passwordOf('admin')
      const registryPassword = `registry-${randomUUID()}`
      const passwordFile = join(folder, 'registry-password')
      writeFileSync(passwordFile, `${registryPassword}\n`)
      writeFileSync(
        join(folder, 'rows.jsonl'),
        '{"text":"a row","meta":{"redpajama_set_name":"RedPajamaC4"}}\nno row\n',
      )
      const env = {
        WINNOW_LOG_LEVEL: 'trace',
        WINNOW_BROKERS: broker.sasl,
        WINNOW_KAFKA_SASL: 'scram-sha-512',
        WINNOW_KAFKA_USERNAME: 'admin',
        WINNOW_KAFKA_PASSWORD: password,
        WINNOW_REGISTRY_URL: inject('registryUrl'),
        WINNOW_REGISTRY_USERNAME: 'registrar',
        WINNOW_REGISTRY_PASSWORD_FILE: passwordFile,
        WINNOW_CLICKHOUSE_URL: inject('clickhouseUrl'),
      }
      writeFileSync(join(folder, 'winnow.yaml'), 'corpus: { partitions: 2 }\n')
      const runs = [
        await winnow(['status'], env),
        await winnow(['ingest', 'rows.jsonl', '--no-wait'], {
          ...env,
          WINNOW_KAFKA_USERNAME: 'ingest',
          WINNOW_KAFKA_PASSWORD: passwordOf('ingest'),
        }),
        await winnow(['status'], { ...env, WINNOW_KAFKA_PASSWORD: 'wrong-secret' }),
        await winnow(['status'], { ...env, WINNOW_REGISTRY_URL: 'http://127.0.0.1:1/apis/ccompat/v7' }),
      ]
      expect(runs.map(({ code }) => code)).toEqual([0, 0, 3, 4])
      const letters = await readAll(as('reader'), topics.deadLetters.name)
      const everything = [...runs.map(({ output }) => output), ...letters.map(({ value }) => `${value}`)].join('\n')
      expect(everything.length).toBeGreaterThan(1000)
      for (const secret of [password, passwordOf('ingest'), registryPassword, 'wrong-secret']) {
        expect(everything).not.toContain(secret)
        expect(everything).not.toContain(Buffer.from(secret).toString('base64'))
      }
    })
  },
)

async function write(kafka: Kafka, codec: Codec, transactionalId: string): Promise<void> {
  const producer = await kafka.producer({ transactionalId })
  await producer.transaction(async (send) => {
    await send(
      documents.map((value) => ({
        topic: topics.documents.name,
        key: `${value.docId}`,
        value: codec.encode(Document, value),
      })),
    )
  })
}

async function report(kafka: Kafka, codec: Codec): Promise<void> {
  const step = run.updateSteps
  const value: Progress = {
    run: run.name,
    step,
    tokens: step,
    round: 0,
    position: 7,
    trainLoss: 1,
    referenceLoss: null,
    corpusLoss: null,
    checkpoint: { path: 'p', digest: 'd', step },
  }
  const producer = await kafka.producer()
  await producer.send([
    { topic: runTopics(run.name).progress.name, key: run.name, value: codec.encode(Progress, value) },
  ])
}

async function startStations(codec: Codec, failures: unknown[]): Promise<(() => Promise<void>)[]> {
  const docIdOf = new Map(documents.map(({ text, docId }) => [text, docId]))
  const ports: Ports = {
    store: new MemoryStore(),
    labelModel: (actor) => ({
      actor,
      version: 'v1',
      label: async (inputs) =>
        inputs.map(({ text }) => ({ ok: true, subcategory: subcategoryOf(actor, docIdOf.get(text)!), score: 1 })),
    }),
    influence: {
      graphDigest: 'g',
      estimator: 'e',
      projectionSeed: '0',
      score: async ({ digest }, texts) => texts.map((text) => rewardOf(digest, docIdOf.get(text)!)),
    },
    console: {
      selections: { selection: () => Promise.reject(new Error('nothing asks for reads')) as never },
      now: () => Date.now(),
    },
  }
  return await Promise.all(
    dataflow(run).map(async (station) => {
      const versions = Object.fromEntries(run.selection.actors.map(({ name }) => [name, 'v1']))
      const handle = await runStation({
        station,
        build: (output) => station.build(ports, output),
        kafka: as(station.kind),
        codec,
        log,
        groupId: consumerGroupOf(station, { run: run.name, versions }),
        onFailure: (error) => failures.push(error),
      })
      return () => handle.close()
    }),
  )
}
