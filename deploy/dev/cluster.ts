import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { ClickHouseClient } from '@clickhouse/client'
import { type ClickHouse, createClickHouse } from '../../services/runtime/clickhouse/client.ts'
import { ChdbEngine } from '../../services/runtime/clickhouse/engine.ts'
import { startFront } from '../../services/runtime/clickhouse/front.ts'
import { WinnowError } from '../../services/runtime/errors.ts'
import type { Log } from '../../services/runtime/log.ts'
import { makeFolder } from '../../services/runtime/make-folder.ts'
import { endOrphan } from './child.ts'
import { clickHousePassword } from './clickhouse-password.ts'
import { allOrStop, type ClusterContext, type Kafka } from './context.ts'
import { removeEndpoints, writeEndpoints } from './endpoints.ts'
import { startDockerKafka } from './kafka-docker.ts'
import { startJavaKafka } from './kafka-java.ts'
import { namedKafka } from './kafka-named.ts'
import { lockDataFolder } from './lock.ts'
import { choosePorts } from './ports.ts'
import type { ProcessIdentity } from './process-identity.ts'

export { type Endpoints, readEndpoints } from './endpoints.ts'

/** Everything that winnow's services connect to. */
export interface Cluster {
  brokers: string[]
  registryUrl: string
  /** Of the embedded ClickHouse, including its password, or of the server in the environment. Not to be shown. */
  clickhouseUrl: string
  clickhouse: ClickHouseClient
  /** Child processes. */
  readonly pids: number[]
  /** Stops everything in order and keeps the state; a second call waits for the first. */
  stop(): Promise<void>
}

export interface ClusterOptions {
  /** State, logs and the lock; created if missing. */
  dataFolder: string
  /** Starts from scratch: removes what an earlier cluster left in the folder. */
  fresh?: boolean
  env?: NodeJS.ProcessEnv
  /** Starts the broker and the registry from their jars, also where Docker is. */
  jars?: boolean
  log: Log
  /** Called with progress lines for the user. */
  progress?: (line: string) => void
  /** Aborts a start. */
  signal?: AbortSignal
  /** Called when a program has ended for good after several restarts; it is logged in any case. */
  onFailure?: (error: WinnowError) => void
}

/**
 * Starts a broker, a schema registry and ClickHouse, or connects to those in the environment: WINNOW_BROKERS with WINNOW_REGISTRY_URL,
 * else Docker, else Java 17 with Maven; ClickHouse is embedded unless WINNOW_CLICKHOUSE_URL is set. Everything listens only on loopback and
 * ends with this process, however that ends. Throws DATA_FOLDER_LOCKED, UNREACHABLE, CONFIGURATION.
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const dataFolder = resolve(options.dataFolder)
  const env = options.env ?? process.env
  const progress = options.progress ?? (() => undefined)
  makeFolder(dataFolder)
  // Last started, first stopped; the lock is released last, whatever fails before.
  await using starting = new AsyncDisposableStack()
  starting.defer(lockDataFolder(dataFolder))
  const stateFolder = join(dataFolder, 'cluster')
  await endOrphans(join(stateFolder, 'processes.json'), options.log)
  removeEndpoints(dataFolder)
  if (options.fresh) rmSync(stateFolder, { recursive: true, force: true })
  makeFolder(stateFolder)
  const context: ClusterContext = {
    stateFolder,
    fresh: options.fresh ?? false,
    env,
    log: options.log,
    progress,
    signal: options.signal,
    onFailure: (error) => {
      options.log.error({ err: error }, error.message)
      options.onFailure?.(error)
    },
    remember: recorder(join(stateFolder, 'processes.json')),
  }
  const [kafka, clickhouse] = await allOrStop<[Kafka, StartedClickHouse]>([
    startKafka(context, options.jars),
    startClickHouse(context),
  ])
  starting.defer(() => kafka.stop())
  starting.defer(() => clickhouse.stop())
  const endpoints = { brokers: kafka.brokers, registryUrl: kafka.registryUrl, clickhouseUrl: clickhouse.address }
  writeEndpoints(dataFolder, endpoints)
  starting.defer(() => removeEndpoints(dataFolder))
  options.log.info({ ...endpoints, clickhouseUrl: clickhouse.url, kind: kafka.kind }, 'cluster ready')
  const running = starting.move()
  let stopped: Promise<void> | undefined
  return {
    ...endpoints,
    clickhouse: clickhouse.client,
    get pids() {
      return kafka.pids
    },
    stop: () => (stopped ??= running.disposeAsync()),
  }
}

interface StartedClickHouse extends ClickHouse {
  /** With credentials, if there are any. */
  address: string
  stop(): Promise<void>
}

/** A data folder sticks to Docker or Java: a broker in Docker one day and run from jars the next would have lost its topics. */
async function startKafka(context: ClusterContext, jars = false): Promise<Kafka> {
  const named = await namedKafka(context)
  if (named) return named
  const file = join(context.stateFolder, 'way')
  const way = existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined
  const docker = jars || way === 'java' ? undefined : await startDockerKafka(context)
  if (way === 'docker' && !docker) {
    throw new WinnowError('UNREACHABLE', `the broker of ${context.stateFolder} is in Docker, which does not answer`, {
      hint: 'Start Docker, or start from scratch (--fresh) without the data of that broker.',
    })
  }
  const kafka = docker ?? (await startJavaKafka(context))
  writeFileSync(file, docker ? 'docker' : 'java')
  return kafka
}

async function startClickHouse(context: ClusterContext): Promise<StartedClickHouse> {
  await using starting = new AsyncDisposableStack()
  const started = (clickHouse: ClickHouse, address: string): StartedClickHouse => {
    const running = starting.move()
    return { ...clickHouse, address, stop: () => running.disposeAsync() }
  }
  const named = context.env.WINNOW_CLICKHOUSE_URL
  if (named && !named.startsWith('chdb:')) {
    const clickHouse = starting.adopt(await createClickHouse({ url: named }), (client) => client.close())
    await clickHouse.sql.ping()
    return started(clickHouse, named)
  }
  const folder = named?.slice('chdb:'.length) ?? join(context.stateFolder, 'clickhouse')
  const engine = starting.adopt(await ChdbEngine.open(folder), (one) => one.close())
  const { clickhouse: port } = await choosePorts(join(context.stateFolder, 'clickhouse-port.json'), ['clickhouse'])
  const front = await startFront(engine, clickHousePassword(context.stateFolder), port)
  starting.defer(() => front.close())
  const clickHouse = starting.adopt(await createClickHouse({ url: front.address }), (client) => client.close())
  return started(clickHouse, front.address)
}

/** Records each process as soon as it exists. */
function recorder(file: string): (identity: ProcessIdentity) => void {
  const identities: ProcessIdentity[] = []
  return (identity) => {
    identities.push(identity)
    writeFileSync(file, JSON.stringify(identities))
  }
}

async function endOrphans(file: string, log: Log): Promise<void> {
  let identities: ProcessIdentity[] = []
  try {
    identities = JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity[]
  } catch {
    // None recorded.
  }
  for (const identity of identities) {
    if (await endOrphan(identity)) log.warn({ pid: identity.pid }, 'ended a process left behind by an earlier start')
  }
  rmSync(file, { force: true })
}
