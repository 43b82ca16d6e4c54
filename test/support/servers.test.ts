import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ContainerRuntimeClient } from 'testcontainers'
import { expect, test } from 'vitest'
import { createClickHouse } from '../../services/runtime/clickhouse/client.ts'
import { clickHouseContainer, composeImages, kafkaContainer, registryContainer } from './containers.ts'
import { startFakeEngine } from './fake-engine.ts'
import { chooseServers, leftWithoutEngine } from './servers.ts'

const run = promisify(execFile)
const none = async () => undefined
const engine = async () => ({}) as ContainerRuntimeClient
const never = () => Promise.reject(new Error('was asked for an engine'))

test.each([
  ['no engine answers', {}, none, 'jars'],
  ['an engine answers', {}, engine, 'containers'],
  ['jars are asked for, and the engine is not looked for', { WINNOW_TEST_SERVERS: 'jars' }, never, 'jars'],
  ['containers are asked for', { WINNOW_TEST_SERVERS: 'containers' }, engine, 'containers'],
  ['a broker is named', { WINNOW_BROKERS: 'broker:9092' }, never, 'named'],
  ['nothing is set but empty', { WINNOW_TEST_SERVERS: '', WINNOW_BROKERS: '' }, none, 'jars'],
] as const)('where %s', async (_, env, find, kind) => {
  expect((await chooseServers(env, find)).kind).toBe(kind)
})

test('requested containers without an engine are an error that says what to do', async () => {
  await expect(chooseServers({ WINNOW_TEST_SERVERS: 'containers' }, none)).rejects.toThrow(/start Docker.*or take jars/)
})

test('tests that are about containers say that they are not run where no engine answers, and fail where they are required', async () => {
  expect(await leftWithoutEngine({}, engine)).toBeUndefined()
  const line = 'not run against containers: no container engine answers: start Docker, or set DOCKER_HOST'
  expect(await leftWithoutEngine({}, none)).toEqual({ line: `↓ ${line}`, code: 0 })
  expect(await leftWithoutEngine({ WINNOW_TEST_CONTAINERS: 'required' }, none)).toEqual({ line: `!! ${line}`, code: 1 })
})

test('any other value is an error', async () => {
  await expect(chooseServers({ WINNOW_TEST_SERVERS: 'docker' }, never)).rejects.toThrow(/'containers' or 'jars'/)
})

test('images, of the tests and of compose, have the same versions as the jars and chDB', async () => {
  const pom = readFileSync(join(import.meta.dirname, '../../deploy/dev/pom.xml'), 'utf8')
  const version = (artifact: string) =>
    new RegExp(`<artifactId>${artifact}</artifactId>\\s*<version>([^<]+)`).exec(pom)![1]
  expect(kafkaContainer({ host: 'h', port: 1 }, 'id').image).toBe(`apache/kafka-native:${version('kafka_2.13')}`)
  expect(registryContainer.image).toBe(`apicurio/apicurio-registry:${version('apicurio-registry-app')}`)
  expect(composeImages.kafka).toBe(`apache/kafka:${version('kafka_2.13')}`)
  expect(composeImages.registry).toBe(registryContainer.image)
  const folder = mkdtempSync(join(tmpdir(), 'winnow-servers-'))
  const { sql, close } = await createClickHouse({ url: `chdb:${folder}` })
  const [row] = await sql.query<{ version: string }>('SELECT version() AS version')
  await close()
  rmSync(folder, { recursive: true })
  expect(clickHouseContainer('secret').image).toBe(
    `clickhouse/clickhouse-server:${row!.version.split('.').slice(0, 2).join('.')}`,
  )
})

test('a broker in a container advertises an address that its clients reach, and one by which it reaches itself', () => {
  const { port, hostPort, environment, ready } = kafkaContainer({ host: 'docker.lan', port: 41_234 }, 'cluster')
  expect({ port, hostPort, ready }).toEqual({ port: 9092, hostPort: 41_234, ready: /Kafka Server started/ })
  expect(environment).toMatchObject({
    CLUSTER_ID: 'cluster',
    KAFKA_ADVERTISED_LISTENERS: 'PLAINTEXT://docker.lan:41234,BROKER://localhost:9094',
    KAFKA_LISTENERS: 'PLAINTEXT://:9092,BROKER://localhost:9094,CONTROLLER://localhost:9093',
    KAFKA_INTER_BROKER_LISTENER_NAME: 'BROKER',
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
  })
})

test('registry and ClickHouse are awaited until they are ready', () => {
  expect(registryContainer).toMatchObject({ port: 8080, user: '0', ready: /Listening on: http/ })
  expect(registryContainer.environment).toMatchObject({ APICURIO_STORAGE_KIND: 'sql' })
  expect(clickHouseContainer('secret')).toMatchObject({
    port: 8123,
    environment: { CLICKHOUSE_USER: 'winnow', CLICKHOUSE_PASSWORD: 'secret' },
    ready: '/ping',
  })
})

/** testcontainers finds its engine by the environment of a process. */
async function startIn(dockerHost: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const script = join(import.meta.dirname, 'servers-child.ts')
  const { stdout } = await run(process.execPath, [script], {
    env: { ...process.env, DOCKER_HOST: dockerHost, TESTCONTAINERS_RYUK_DISABLED: 'true', ...env },
  })
  return stdout
}

test('with an engine all three containers are created, and none is left if one fails to start', async () => {
  // They say that they are ready, and then there is no registry behind the port.
  const fake = await startFakeEngine(['Kafka Server started', 'Listening on: http://0.0.0.0:8080'])
  try {
    const output = await startIn(fake.address, { WINNOW_TEST_SERVERS: 'containers' })
    expect(output).toMatch(/^test servers: .* in containers \(WINNOW_TEST_SERVERS says so\)\nfailed: /)
    const images = [
      kafkaContainer({ host: 'h', port: 1 }, 'id').image,
      registryContainer.image,
      composeImages.clickHouse,
    ]
    expect(fake.created.map(({ Image }) => Image).sort()).toEqual(images.toSorted())
    const kafka = fake.created.find(({ Image }) => Image === images[0])!
    // Their own users could not write where their state is.
    expect(kafka.User).toBe('0')
    const { HostPort } = kafka.HostConfig.PortBindings['9092/tcp']![0]!
    const advertised = `PLAINTEXT://127.0.0.1:${HostPort},BROKER://localhost:9094`
    expect(kafka.Env).toContain(`KAFKA_ADVERTISED_LISTENERS=${advertised}`)
    expect(fake.running()).toEqual([])
  } finally {
    await fake.close()
  }
})

test('an engine that lacks the images and cannot fetch them is passed over', async () => {
  const fake = await startFakeEngine([], false)
  try {
    // Nor is there a Java to start the jars with.
    const output = await startIn(fake.address, { PATH: '/nowhere', XDG_CACHE_HOME: '/nowhere' })
    expect(output).toMatch(/since containers did not start: .*\nfailed: .*there is no Java/)
  } finally {
    await fake.close()
  }
})
