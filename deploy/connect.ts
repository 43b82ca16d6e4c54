import { join, resolve } from 'node:path'
import { configOf } from '../services/cli/config-of.ts'
import type { CliContext, Connection, GlobalOptions } from '../services/cli/context.ts'
import type { Config } from '../services/config/config.ts'
import { credentialsOf } from '../services/config/credentials.ts'
import { loadConfig } from '../services/config/load.ts'
import { assertAnswering, whatHangs } from '../services/connections/answering.ts'
import { type Addresses, createCorpusTopics, openRuntime } from '../services/connections/connections.ts'
import { assertRegistryOfLog } from '../services/connections/registry-of-log.ts'
import { startCorpus } from '../services/host/corpus.ts'
import { labelerVersions } from '../services/runs/label-progress.ts'
import { withoutLogin } from '../services/runtime/address.ts'
import { systemClock } from '../services/runtime/clock.ts'
import { WinnowError } from '../services/runtime/errors.ts'
import { createLog } from '../services/runtime/log.ts'
import { Metrics } from '../services/runtime/metrics/metrics.ts'
import { serveMetrics } from '../services/runtime/metrics/server.ts'
import { closeAll, type Service } from '../services/runtime/service.ts'
import { whileWaiting } from '../services/terminal/progress.ts'
import { readEndpoints, startCluster } from './dev/cluster.ts'

/** The demo's own cluster, below the data folder, with its own corpus and actors. */
export const demoFolder = 'demo'

/** Commands log only warnings and errors: their output is their result. */
const log = () => createLog('winnow', process.env.WINNOW_LOG_LEVEL ?? 'warn')

type Context = Pick<CliContext, 'env' | 'folder' | 'stderr'>

/** The addresses in configuration and environment; undefined if they name no brokers. */
function namedAddresses(config: Config, env: NodeJS.ProcessEnv): Addresses | undefined {
  if (config.kafka.brokers.length === 0) return undefined
  const { registry, clickhouse } = config
  if (registry.url === undefined || clickhouse.url === undefined) {
    throw new WinnowError(
      'CONFIGURATION',
      'brokers are configured, but not the registry and ClickHouse that go with them',
      {
        hint: 'Set registry.url and clickhouse.url in winnow.yaml, or WINNOW_REGISTRY_URL and WINNOW_CLICKHOUSE_URL.',
      },
    )
  }
  return {
    brokers: config.kafka.brokers,
    registryUrl: registry.url,
    clickhouseUrl: clickhouse.url,
    ...(clickhouse.database !== undefined && { database: clickhouse.database }),
    ...(clickhouse.cluster !== undefined && { cluster: clickhouse.cluster }),
    credentials: credentialsOf(config, env),
  }
}

/** The cluster that runs on this machine on the data folder, or the demo's below it, with the configuration it was started with. */
function running(context: Context, config: Config): { addresses: Addresses; config: Config; pid?: number } | undefined {
  for (const dataFolder of [config.dataFolder, join(config.dataFolder, demoFolder)]) {
    const addresses = readEndpoints(dataFolder)
    if (addresses === undefined) continue
    if (!dataFolder.endsWith(demoFolder) || config.file !== undefined) return { addresses, config, pid: addresses.pid }
    const { pid } = addresses
    return { addresses, pid, config: loadConfig({ ...context, file: join(dataFolder, 'winnow.yaml'), dataFolder }) }
  }
  return undefined
}

/** The addresses of the configured cluster, or of the one that runs here; undefined if there is none. */
export function locate(context: Context, config: Config): { addresses: Addresses; config: Config } | undefined {
  const named = namedAddresses(config, context.env)
  return named === undefined ? running(context, config) : { addresses: named, config }
}

/**
 * Measures this process and serves the metrics, as configured; undefined if they are disabled.
 * @throws WinnowError CONFIGURATION
 */
export async function openMetrics(
  config: Pick<Config, 'metrics'>,
  say: (line: string) => void,
): Promise<{ metrics: Metrics; service: Service } | undefined> {
  if (!config.metrics.enabled) return undefined
  const metrics = new Metrics(systemClock)
  const { url, close } = await serveMetrics(metrics, config.metrics)
  say(`metrics: ${url}`)
  return { metrics, service: { name: 'metrics', close } }
}

/** The options of a runtime with this configuration. */
export const runtimeOptions = (
  { tracing, corpus: { encryption }, baseFolder }: Pick<Config, 'tracing' | 'corpus' | 'baseFolder'>,
  measured?: { metrics: Metrics },
) => ({
  metrics: measured?.metrics,
  traceRatio: tracing.ratio,
  encryption: encryption && resolve(baseFolder, encryption),
})

export async function connect(
  context: Context,
  options: GlobalOptions,
  serving?: { metrics: boolean },
): Promise<Connection> {
  const config = configOf(context, options)
  const named = namedAddresses(config, context.env)
  const found = named === undefined ? running(context, config) : { addresses: named, config, pid: undefined }
  if (found === undefined) {
    throw new WinnowError('UNREACHABLE', `no cluster is configured, and none runs here on ${config.dataFolder}`, {
      hint: "Start one with 'npm start' or 'npx winnow dev', or configure yours in winnow.yaml or WINNOW_BROKERS.",
    })
  }
  const { brokers, registryUrl, clickhouseUrl } = found.addresses
  const doing = `connecting to Kafka (${brokers.join(', ')}), registry (${withoutLogin(registryUrl)}) and ClickHouse (${withoutLogin(clickhouseUrl)})`
  const say = (line: string) => context.stderr.write(`${line}\n`)
  await using opening = new AsyncDisposableStack()
  const measured = serving?.metrics === true ? await openMetrics(found.config, say) : undefined
  opening.defer(() => measured?.service.close())
  const open = async () => {
    await assertAnswering(found.addresses)
    return await openRuntime(found.addresses, log(), runtimeOptions(found.config, measured))
  }
  const runtime = await whileWaiting(context.stderr, systemClock, doing, open())
  measured?.metrics.dependsOn(() => whatHangs(found.addresses))
  opening.defer(() => runtime.close())
  // Who only looks is not kept from it by topics that are set wrongly, or by a registry that is.
  const tolerant = (error: unknown) => {
    if (serving !== undefined || !(error instanceof WinnowError) || error.code !== 'CONFIGURATION') throw error
    say(`warning: ${error.message} ${error.hint ?? ''}`)
  }
  await createCorpusTopics(runtime.kafka, found.config).catch(tolerant)
  await assertRegistryOfLog(runtime).catch(tolerant)
  return connectionOf(opening, { config: found.config, runtime, pid: found.pid })
}

/** Takes over what was opened: the stack is empty afterwards. */
function connectionOf(opening: AsyncDisposableStack, parts: Omit<Connection, keyof AsyncDisposable>): Connection {
  const opened = opening.move()
  return { ...parts, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

export async function connectOrStart(
  context: Context,
  options: GlobalOptions,
  onFailure: (error: unknown) => void,
): Promise<Connection> {
  const config = configOf(context, options)
  if (namedAddresses(config, context.env) !== undefined || running(context, config) !== undefined)
    // A short command takes no port that a service may want, unless one is configured.
    return await connect(context, options, { metrics: config.metrics.port !== undefined })
  // A missing model is reported before anything is started.
  await labelerVersions(config)
  context.stderr.write(`no cluster runs here: starting one on ${config.dataFolder}\n`)
  await using opening = new AsyncDisposableStack()
  const cluster = await startCluster({
    dataFolder: config.dataFolder,
    env: context.env,
    log: log(),
    progress: (line) => context.stderr.write(`${line}\n`),
  })
  opening.defer(() => cluster.stop())
  const runtime = await openRuntime(cluster, log(), runtimeOptions(config))
  opening.defer(() => runtime.close())
  const { services } = await startCorpus(runtime, config, onFailure)
  opening.defer(() => closeAll(services))
  return connectionOf(opening, { config, runtime })
}
