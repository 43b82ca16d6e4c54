import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ContainerRuntimeClient, StartedTestContainer } from 'testcontainers'
import { parse } from 'yaml'
import { assertOurs, readClusterId } from '../../deploy/dev/broker.ts'
import { allOrStop } from '../../deploy/dev/context.ts'
import { brokerVariables, images, readyLines, registryVariables, user } from '../../deploy/dev/kafka-docker.ts'
import { choosePorts } from '../../deploy/dev/ports.ts'
import { registryUrl, requireCompatibility } from '../../deploy/dev/registry.ts'
import type { Servers } from './servers.ts'

/** A server in a container, as data. */
export interface Definition {
  readonly image: string
  /** Inside the container; outside, any free port or `hostPort`. */
  readonly port: number
  /** For a server that must know its own address before it starts. */
  readonly hostPort?: number
  readonly environment: Readonly<Record<string, string>>
  readonly user?: string
  /** It is ready once it has said this, or once a GET of this path answers 200. */
  readonly ready: RegExp | string
}

const compose = parse(readFileSync(join(import.meta.dirname, '../../deploy/compose.yaml'), 'utf8'), {
  merge: true,
}) as {
  services: Record<'kafka' | 'registry' | 'clickhouse', { image: string }>
}
/** Images of the servers that compose.yaml starts; ClickHouse's version is named there alone. */
export const composeImages = {
  kafka: compose.services.kafka.image,
  registry: compose.services.registry.image,
  clickHouse: compose.services.clickhouse.image,
}

/** @param address of the broker as its clients reach it */
export const kafkaContainer = (address: { host: string; port: number }, clusterId: string): Definition => ({
  image: images.kafka,
  port: 9092,
  hostPort: address.port,
  environment: brokerVariables(`${address.host}:${address.port}`, clusterId),
  user,
  ready: readyLines.kafka,
})

export const registryContainer: Definition = {
  image: images.registry,
  port: 8080,
  environment: registryVariables,
  user,
  ready: readyLines.registry,
}

export const clickHouseUser = 'winnow'

export const clickHouseContainer = (password: string): Definition => ({
  image: composeImages.clickHouse,
  port: 8123,
  // The tests create databases, users and roles.
  environment: {
    CLICKHOUSE_USER: clickHouseUser,
    CLICKHOUSE_PASSWORD: password,
    CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT: '1',
  },
  ready: '/ping',
})

/** A first start pulls images. */
const startMsMax = 170_000

async function start(definition: Definition): Promise<StartedTestContainer> {
  const { GenericContainer, Wait } = await import('testcontainers')
  const { image, port, hostPort, environment, user, ready } = definition
  const container = new GenericContainer(image)
    .withEnvironment({ ...environment })
    .withExposedPorts(hostPort === undefined ? port : { container: port, host: hostPort })
    .withStartupTimeout(startMsMax)
    .withWaitStrategy(
      ready instanceof RegExp ? Wait.forLogMessage(ready) : Wait.forHttp(ready, port).forStatusCode(200),
    )
  return await (user === undefined ? container : container.withUser(user)).start()
}

/** Kafka, the registry and a ClickHouse server in containers, which end with the test runner, however that ends (testcontainers' reaper). */
export async function startContainers(runtime: ContainerRuntimeClient): Promise<Servers> {
  const { host } = runtime.info.containerRuntime
  const folder = mkdtempSync(join(tmpdir(), 'winnow-containers-'))
  try {
    const { broker: port } = await choosePorts(join(folder, 'ports.json'), ['broker'])
    const [clusterId, password] = [readClusterId(folder), randomBytes(16).toString('hex')]
    const containers = await allOrStop<StartedTestContainer[]>(
      [kafkaContainer({ host, port }, clusterId), registryContainer, clickHouseContainer(password)].map(start),
    )
    const stop = async () => {
      await Promise.all(containers.map((container) => container.stop()))
    }
    try {
      const [, registry, clickHouse] = containers
      const url = registryUrl(registry!.getMappedPort(registryContainer.port), host)
      await Promise.all([assertOurs(`${host}:${port}`, clusterId), requireCompatibility(url)])
      const clickHousePort = clickHouse!.getMappedPort(clickHouseContainer(password).port)
      return {
        brokers: [`${host}:${port}`],
        registryUrl: url,
        clickhouseUrl: `http://${clickHouseUser}:${password}@${host}:${clickHousePort}`,
        stop,
      }
    } catch (error) {
      await stop()
      throw error
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
