import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { assertOurs, brokerProperties, type Ports, portNames, readClusterId } from './broker.ts'
import { type Child, readyOrStopped, startChild } from './child.ts'
import { allOrStop, type ClusterContext, type Kafka } from './context.ts'
import { running } from './kafka-java.ts'
import { choosePorts } from './ports.ts'
import { registryUrl, requireCompatibility } from './registry.ts'

const run = promisify(execFile)

/** The versions of the jars in pom.xml. */
export const images = { kafka: 'apache/kafka-native:4.3.1', registry: 'apicurio/apicurio-registry:3.0.9' }

/** Variables of the broker's container, which listens on port 9092 inside. @param advertised where clients reach it, `host:port` */
export const brokerVariables = (advertised: string, clusterId: string): Record<string, string> => ({
  CLUSTER_ID: clusterId,
  ...Object.fromEntries(
    Object.entries({
      ...brokerProperties,
      'controller.quorum.voters': '1@localhost:9093',
      // What it writes into its own log (the markers of transactions) it sends itself, and inside the container there is no port of the host's.
      listeners: 'PLAINTEXT://:9092,BROKER://localhost:9094,CONTROLLER://localhost:9093',
      'advertised.listeners': `PLAINTEXT://${advertised},BROKER://localhost:9094`,
      'inter.broker.listener.name': 'BROKER',
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'log.dirs': '/var/lib/kafka/data',
    }).map(([key, value]) => [`KAFKA_${key.replaceAll('.', '_').toUpperCase()}`, value]),
  ),
})

/** Whom both run as: a new volume belongs to root, and kafka-native has no folder of data that its own user could write. */
export const user = '0'

/** Variables of the registry's container, which listens on port 8080 inside. */
export const registryVariables: Readonly<Record<string, string>> = {
  APICURIO_STORAGE_KIND: 'sql',
  APICURIO_STORAGE_SQL_KIND: 'h2',
  APICURIO_DATASOURCE_URL: 'jdbc:h2:file:/winnow/registry',
  APICURIO_CCOMPAT_LEGACY_ID_MODE_ENABLED: 'false',
  // Logs what a start waits for.
  QUARKUS_LOG_CATEGORY__IO_QUARKUS__LEVEL: 'INFO',
}

/** What each says once it can be asked. */
export const readyLines = { kafka: /Kafka Server started/, registry: /Listening on: http/ }

/**
 * A broker and a registry in containers, if a Docker engine answers and has or can pull the images; else undefined. `docker run` stays in the
 * foreground as our child, so that a container ends like a program; its state is in a volume named after the folder.
 */
export async function startDockerKafka(context: ClusterContext): Promise<Kafka | undefined> {
  const docker = (...args: string[]) => run('docker', args, { env: context.env, timeout: 600_000 })
  const answers = await run('docker', ['version'], { env: context.env, timeout: 5_000 }).then(
    () => true,
    () => false,
  )
  if (!answers) return undefined
  try {
    for (const image of Object.values(images)) {
      const present = await docker('image', 'inspect', image).then(
        () => true,
        () => false,
      )
      if (present) continue
      context.progress(`fetching the image ${image}`)
      await docker('pull', '-q', image)
    }
  } catch (error) {
    context.log.warn({ err: error }, 'Docker answers but cannot fetch the images: trying Java')
    return undefined
  }
  const name = `winnow-${createHash('sha256').update(context.stateFolder).digest('hex').slice(0, 12)}`
  const containers = [`${name}-kafka`, `${name}-registry`] as const
  // With the unnamed volumes that their images ask for.
  const remove = (...names: string[]) => docker('rm', '--force', '--volumes', ...names)
  // Left behind if the engine outlived the command.
  await remove(...containers)
  if (context.fresh) await docker('volume', 'rm', '--force', ...containers)
  mkdirSync(join(context.stateFolder, 'logs'), { recursive: true })
  const ports = await choosePorts(join(context.stateFolder, 'ports.json'), portNames)
  const [kafka, registry] = containers
  const starts = [
    () => startBrokerContainer(kafka, ports, context),
    () => startRegistryContainer(registry, ports, context),
  ]
  const children = await allOrStop<Child[]>(starts.map((start) => start())).catch(async (error: unknown) => {
    await remove(...containers)
    throw error
  })
  const again = starts.map((start, i) => async () => {
    await remove(containers[i]!)
    return await start()
  })
  const cluster = running('Docker', ports, children, again, context)
  return {
    ...cluster,
    get pids() {
      return cluster.pids
    },
    stop: async () => {
      await cluster.stop()
      await remove(...containers)
    },
  }
}

async function startBrokerContainer(name: string, ports: Ports, context: ClusterContext): Promise<Child> {
  const folder = join(context.stateFolder, 'kafka-docker')
  mkdirSync(folder, { recursive: true })
  const clusterId = readClusterId(folder)
  const address = `127.0.0.1:${ports.broker}`
  const options = ['-p', `127.0.0.1:${ports.broker}:9092`, '-v', `${name}:/var/lib/kafka/data`]
  const child = startContainer(
    'Kafka broker',
    name,
    images.kafka,
    options,
    brokerVariables(address, clusterId),
    context,
  )
  return await readyOrStopped(child, readyLines.kafka, () => assertOurs(address, clusterId), context.signal)
}

async function startRegistryContainer(name: string, ports: Ports, context: ClusterContext): Promise<Child> {
  const options = ['-p', `127.0.0.1:${ports.registry}:8080`, '-v', `${name}:/winnow`]
  const child = startContainer('schema registry', name, images.registry, options, registryVariables, context)
  const check = () => requireCompatibility(registryUrl(ports.registry))
  return await readyOrStopped(child, readyLines.registry, check, context.signal)
}

function startContainer(
  what: string,
  name: string,
  image: string,
  options: string[],
  variables: Readonly<Record<string, string>>,
  context: ClusterContext,
): Child {
  const command = [
    'docker',
    'run',
    '--rm',
    // The first process of a container heeds no signal that it has no handler for, as the shell that sets Kafka up has none.
    '--init',
    '--name',
    name,
    '--user',
    user,
    ...options,
    ...Object.entries(variables).flatMap(([variable, value]) => ['-e', `${variable}=${value}`]),
    image,
  ]
  const logFile = join(context.stateFolder, 'logs', `${name}.log`)
  const child = startChild(what, command, logFile, context.stateFolder, context.env)
  context.remember(child.identity)
  return child
}
