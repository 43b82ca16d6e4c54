import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Kafka, logLevel } from 'kafkajs'
import { WinnowError } from '../../services/runtime/errors.ts'
import '../../services/runtime/kafka/quiet-queue.ts'
import { type Child, readyOrStopped, startChild } from './child.ts'
import type { ProcessIdentity } from './process-identity.ts'

const run = promisify(execFile)
const loggingOption = `-Dlog4j2.configurationFile=${fileURLToPath(new URL('./broker-log4j2.properties', import.meta.url))}`

/** The loopback ports of a broker and a registry. */
export const portNames = ['broker', 'controller', 'registry', 'registryManagement'] as const
export type Ports = Record<(typeof portNames)[number], number>

/** What a Java program needs to start. */
export interface JavaProgram {
  java: string
  /** JVM options, for example the class archive. */
  options: readonly string[]
  /** Where its state is. */
  folder: string
  logFile: string
  ports: Ports
  /** Settings that override those of a single node: several nodes, another advertised address. */
  properties?: Readonly<Record<string, string>>
  /** Options of the tool that formats its folder: the first users. */
  formatOptions?: readonly string[]
  /** Called with the process before it is ready. */
  started(identity: ProcessIdentity): void
  /** Aborts the start. */
  signal?: AbortSignal | undefined
}

/** Settings of a single node that is its own controller, for jars and containers alike. */
export const brokerProperties: Readonly<Record<string, string>> = {
  'process.roles': 'broker,controller',
  'node.id': '1',
  'controller.listener.names': 'CONTROLLER',
  'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
  // A misspelt topic is an error, not a new topic.
  'auto.create.topics.enable': 'false',
  'num.partitions': '1',
  'offsets.topic.replication.factor': '1',
  'offsets.topic.num.partitions': '4',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'transaction.state.log.num.partitions': '4',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  'share.coordinator.state.topic.num.partitions': '1',
  'group.initial.rebalance.delay.ms': '0',
  // After kill -9 the controller waits for the old broker session to time out; with the default of 9 s a restart takes 12.5 s.
  'broker.session.timeout.ms': '2000',
  'broker.heartbeat.interval.ms': '500',
  'num.network.threads': '2',
  'num.io.threads': '4',
  // The default of 128 MiB would be half the heap.
  'log.cleaner.dedupe.buffer.size': '16777216',
}

const propertiesFile = ({ folder, ports, properties }: JavaProgram): string =>
  Object.entries({
    ...brokerProperties,
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    listeners: `PLAINTEXT://127.0.0.1:${ports.broker},CONTROLLER://127.0.0.1:${ports.controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${ports.broker}`,
    'log.dirs': join(folder, 'log'),
    ...properties,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')

const brokerHeap = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

/** Starts a Kafka broker that is its own controller; formats its folder the first time. Resolves when it answers with our cluster id. */
export async function startBroker(program: JavaProgram, jars: string): Promise<Child> {
  const { folder, ports } = program
  mkdirSync(folder, { recursive: true })
  const configuration = join(folder, 'server.properties')
  writeFileSync(configuration, propertiesFile(program))
  const clusterId = await format(program, jars, configuration)
  const child = startChild(
    'Kafka broker',
    [
      program.java,
      ...brokerHeap,
      ...program.options,
      loggingOption,
      '-cp',
      classpath(jars),
      'kafka.Kafka',
      configuration,
    ],
    program.logFile,
    folder,
  )
  program.started(child.identity)
  const assert = () => assertOurs(`127.0.0.1:${ports.broker}`, clusterId)
  return await readyOrStopped(child, /Kafka Server started/, assert, program.signal)
}

const classpath = (jars: string): string => join(jars, '*')

/** The id of the cluster whose state is in `folder`; generated and stored the first time. */
export function readClusterId(folder: string): string {
  const file = join(folder, 'cluster-id')
  if (!existsSync(file)) {
    // 16 bytes in base64url; a leading dash would look like an option.
    const bytes = Buffer.from(crypto.randomUUID().replaceAll('-', ''), 'hex')
    writeFileSync(file, bytes.toString('base64url').replace(/^-/, 'w'))
  }
  return readFileSync(file, 'utf8').trim()
}

/** Formats the log folder the first time; returns the cluster's id. */
async function format(program: JavaProgram, jars: string, configuration: string): Promise<string> {
  const clusterId = readClusterId(program.folder)
  if (!existsSync(join(program.folder, 'log', 'meta.properties'))) {
    // A class archive can be used here, but only the broker may create one.
    const options = program.options.filter((option) => !option.startsWith('-XX:ArchiveClassesAtExit'))
    const tool = [...brokerHeap, ...options, loggingOption, '-cp', classpath(jars), 'kafka.tools.StorageTool']
    await run(program.java, [
      ...tool,
      ...['format', '-t', clusterId, '-c', configuration, '--ignore-formatted'],
      ...(program.formatOptions ?? []),
    ])
  }
  return clusterId
}

/** Connects; UNREACHABLE if another program has our port. */
export async function assertOurs(broker: string, clusterId: string): Promise<void> {
  const kafka = new Kafka({
    clientId: 'winnow-dev',
    brokers: [broker],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, retries: 20 },
  })
  const admin = kafka.admin()
  try {
    await admin.connect()
    const found = (await admin.describeCluster()).clusterId
    if (found !== clusterId)
      throw new WinnowError(
        'UNREACHABLE',
        `the broker at ${broker} belongs to another cluster (${found}, not ${clusterId})`,
      )
  } finally {
    await admin.disconnect()
  }
}
