import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import kafkajs from 'kafkajs'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import type { Finding } from '../../deploy/doctor/finding.ts'
import { asDocumentId, type DocumentId, Label, subjectOf, topics } from '../../schemas/index.ts'
import { ClickHouseTextKeys } from '../../services/corpus/text-keys.ts'
import { createClickHouse } from '../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../services/runtime/clickhouse/migrate.ts'
import { MasterKeys } from '../../services/texts/master-keys.ts'
import { winnow } from '../services/cli/winnow.ts'
import { type SecureBroker, startSecureBroker } from '../support/secure-broker.ts'

const started = await startSecureBroker({ admin: 'secret-of-admin' })
const missing = typeof started === 'string' ? started : undefined
const broker = started as SecureBroker
const folder = mkdtempSync(join(tmpdir(), 'winnow-doctor-'))
const kafka = missing === undefined ? new kafkajs.Kafka({ brokers: [broker.open], logLevel: 0 }) : undefined
const admin = kafka?.admin()
afterAll(async () => {
  await admin?.disconnect()
  if (missing === undefined) await broker.stop()
  rmSync(folder, { recursive: true, force: true })
})

const parts = (): NodeJS.ProcessEnv => ({
  WINNOW_BROKERS: broker.open,
  WINNOW_REGISTRY_URL: inject('registryUrl'),
  WINNOW_CLICKHOUSE_URL: inject('clickhouseUrl'),
})

async function doctor(
  env: NodeJS.ProcessEnv = {},
  args: string[] = [],
): Promise<{ code: number | null; findings: Finding[] }> {
  const { code, stdout, stderr } = await winnow(['doctor', '--json', ...args], { ...parts(), ...env }, folder)
  expect(stdout, stderr).toMatch(/^\[/)
  return { code, findings: JSON.parse(stdout) as Finding[] }
}
const bad = (findings: Finding[]) => findings.filter(({ state }) => state === 'problem' || state === 'unreachable')

/** Sets something of the broker or a topic for as long as `work` takes. */
async function whileSet(
  type: number,
  name: string,
  setting: [string, string],
  work: () => Promise<void>,
): Promise<void> {
  // The request replaces all settings of its resource: the topic's own are sent along.
  const { resources } = await admin!.describeConfigs({ includeSynonyms: false, resources: [{ type, name }] })
  const own = (resources[0]?.configEntries ?? [])
    .filter(({ configSource }) => configSource === kafkajs.ConfigSource.TOPIC_CONFIG)
    .map(({ configName, configValue }) => ({ name: configName, value: configValue }))
  const set = (entries: { name: string; value: string }[]) =>
    admin!.alterConfigs({ validateOnly: false, resources: [{ type, name, configEntries: entries }] })
  await set([...own.filter((entry) => entry.name !== setting[0]), { name: setting[0], value: setting[1] }])
  try {
    await work()
  } finally {
    await set(own)
  }
}

describe.skipIf(missing !== undefined)(`winnow doctor${missing ? ` (skipped: ${missing})` : ''}`, () => {
  beforeAll(async () => {
    await admin!.connect()
    // Whatever connects first makes the topics and registers the schemas.
    const { code, stderr } = await winnow(['status'], parts(), folder)
    expect(code, stderr).toBe(0)
  }, 120_000)

  test('finds nothing wrong with a cluster that winnow set up, and reports versions and owners', async () => {
    const { code, findings } = await doctor()
    expect(bad(findings)).toEqual([])
    expect(code).toBe(0)
    const found = new Map(findings.map((one) => [one.check, one.found]))
    expect(found.get('node')).toBe(process.version)
    expect(found.get('onnxruntime-node')).toMatch(/^\d+\.\d+/)
    expect(found.get('clickhouse')).toMatch(/^\d+\.\d+/)
    expect(found.get('registry')).toMatch(/\d+ of \d+ subjects registered/)
    expect(found.get(`port ${broker.open}`)).toContain('java')
    expect(found.get('topics')).toContain('configured correctly')
    const plain = await winnow(['doctor'], parts(), folder)
    expect(plain).toMatchObject({ code: 0, stdout: expect.stringContaining('onnxruntime-node') })
  })

  test('a topic with another retention is a problem, with the command that fixes it', async () => {
    const { name } = topics.documents
    await whileSet(kafkajs.ConfigResourceTypes.TOPIC, name, ['retention.ms', '60000'], async () => {
      const { code, findings } = await doctor()
      expect(code).toBe(3)
      expect(bad(findings)).toMatchObject([{ check: 'topics', mend: expect.stringContaining(`--topic ${name}`) }])
    })
  })

  test('fewer partitions than configured are a problem, more are not', async () => {
    const file = join(folder, 'partitions.yaml')
    writeFileSync(file, 'corpus: { partitions: 2 }\n')
    expect((await doctor({}, ['--config', file])).code).toBe(0)
    writeFileSync(file, 'corpus: { partitions: 6 }\n')
    const { code, findings } = await doctor({}, ['--config', file])
    expect(code).toBe(3)
    expect(bad(findings).every(({ found }) => /has 4 partitions, not 6/.test(found))).toBe(true)
    // Documents, exclusions, sketches, and labels of three actors.
    expect(bad(findings)).toHaveLength(6)
  })

  test('a broker that takes only small messages is a problem', async () => {
    await whileSet(kafkajs.ConfigResourceTypes.BROKER, '1', ['message.max.bytes', '1000'], async () => {
      const { code, findings } = await doctor()
      expect(code).toBe(3)
      expect(bad(findings)[0]).toMatchObject({ check: 'broker 1', mend: expect.stringContaining('message.max.bytes=') })
    })
  })

  test('a subject whose compatibility was loosened is a problem, and the suggested command fixes it', async () => {
    const url = `${inject('registryUrl')}/config/${subjectOf(Label)}`
    const put = (compatibility: string) =>
      fetch(url, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ compatibility }),
      })
    await put('FORWARD')
    try {
      const { code, findings } = await doctor()
      expect(code).toBe(3)
      expect(bad(findings)).toMatchObject([
        { check: 'registry', found: expect.stringContaining('FORWARD'), mend: expect.stringContaining(url) },
      ])
    } finally {
      await put('BACKWARD_TRANSITIVE')
    }
    expect(bad((await doctor()).findings)).toEqual([])
  })

  test('encrypted texts without their master keys, and those of another corpus, are problems', async () => {
    const server = await createClickHouse({ url: inject('clickhouseUrl') })
    const database = `doctor_${randomUUID().slice(0, 8)}`
    await server.sql.command(`CREATE DATABASE ${database}`)
    await server.close()
    const clickHouse = await createClickHouse({ url: inject('clickhouseUrl'), database })
    onTestFinished(() => clickHouse.close())
    const ofKeys = async (env: NodeJS.ProcessEnv = {}) => {
      const { code, findings } = await doctor({ WINNOW_CLICKHOUSE_DATABASE: database, ...env })
      return { code, keys: findings.filter(({ check }) => check.includes('keys')) }
    }
    // No service has made a table yet.
    expect(await ofKeys()).toEqual({ code: 0, keys: [] })
    await migrate(clickHouse.sql)
    const [own, another] = ['own.json', 'another.json'].map((name) => MasterKeys.create(join(folder, name), 0))
    const keys = new ClickHouseTextKeys(clickHouse.sql)
    const ids = [1n, 2n].map(asDocumentId)
    const key = (docId: DocumentId) => own!.wrap({ docId, name: 'aaaaaaaa', bytes: new Uint8Array(32) })
    await keys.add(await Promise.all(ids.map(key)))
    expect(await ofKeys()).toMatchObject({
      code: 3,
      keys: [{ state: 'problem', found: expect.stringContaining('2 keys of encrypted texts') }],
    })
    expect(await ofKeys({ WINNOW_CORPUS_ENCRYPTION: own!.path })).toMatchObject({
      ...{ code: 0, keys: [{ state: 'ok' }, { state: 'ok', found: '2, all wrapped by epoch 1' }] },
    })
    expect(await ofKeys({ WINNOW_CORPUS_ENCRYPTION: another!.path })).toMatchObject({
      ...{ code: 3, keys: [{ state: 'ok' }, { state: 'problem', found: expect.stringContaining('does not unwrap') }] },
    })
    const gone = await ofKeys({ WINNOW_CORPUS_ENCRYPTION: join(folder, 'gone.json') })
    expect(gone).toMatchObject({ code: 3, keys: [{ state: 'problem', found: expect.stringContaining('ENOENT') }] })
    // An erasure that was killed once its record was there.
    await clickHouse.sql.insert('exclusions', [{ doc: ids[1]!, list: 'erasure/request-17', excluded: 1, at: 0 }])
    expect(await ofKeys({ WINNOW_CORPUS_ENCRYPTION: own!.path })).toMatchObject({
      code: 0,
      keys: [{}, {}, { state: 'warning', mend: 'Finish it: winnow erase request-17' }],
    })
  })

  test.each(['WINNOW_BROKERS', 'WINNOW_REGISTRY_URL', 'WINNOW_CLICKHOUSE_URL'])(
    'an address in %s that does not answer gives exit code 4, and everything else is still checked',
    async (variable) => {
      const { code, findings } = await doctor({
        [variable]: variable === 'WINNOW_BROKERS' ? '127.0.0.1:1' : 'http://127.0.0.1:1',
      })
      expect(code).toBe(4)
      const part = { WINNOW_BROKERS: 'kafka', WINNOW_REGISTRY_URL: 'registry', WINNOW_CLICKHOUSE_URL: 'clickhouse' }[
        variable
      ]
      expect(bad(findings).map(({ check }) => check)).toContain(part)
      expect(new Set(findings.map(({ check }) => check)).size).toBeGreaterThan(7)
    },
  )

  test('a wrong password and a wrong configuration give exit code 3', async () => {
    const login = { WINNOW_BROKERS: broker.sasl, WINNOW_KAFKA_SASL: 'plain', WINNOW_KAFKA_USERNAME: 'admin' }
    const wrong = await doctor({ ...login, WINNOW_KAFKA_PASSWORD: 'wrong' })
    expect(wrong.code).toBe(3)
    expect(bad(wrong.findings)).toMatchObject([
      { check: 'kafka', mend: expect.stringContaining('WINNOW_KAFKA_PASSWORD') },
    ])
    const without = await doctor(login)
    expect(without.code).toBe(3)
    expect(bad(without.findings)).toMatchObject([{ check: 'configuration' }])
  })

  test('missing permissions of a service are named until they are granted', async () => {
    const login = {
      WINNOW_BROKERS: broker.sasl,
      WINNOW_KAFKA_SASL: 'plain',
      WINNOW_KAFKA_USERNAME: 'admin',
      WINNOW_KAFKA_PASSWORD: 'secret-of-admin',
    }
    const give = async (service: string) => {
      const given = await winnow(['acls', service, '--principal', 'User:admin', '--apply'], parts(), folder)
      expect(given.code, given.stderr).toBe(0)
    }
    const ofIngest = () => doctor(login, ['--service', 'ingest'])
    // A broker applies permissions some time after the controller has them.
    const patience = { timeout: 60_000, interval: 500 }
    await give('admin')
    await expect
      .poll(async () => {
        const { code, findings } = await ofIngest()
        return { code, bad: bad(findings) }
      }, patience)
      .toMatchObject({
        code: 3,
        bad: [{ check: 'permissions', found: expect.stringContaining('Write on transaction winnow-ingest') }],
      })
    await give('ingest')
    await expect.poll(async () => bad((await ofIngest()).findings), patience).toEqual([])
  })
})
