import { mkdirSync } from 'node:fs'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { ensureArtifacts } from '../../../deploy/dev/artifacts.ts'
import { portNames } from '../../../deploy/dev/broker.ts'
import { ensureClassArchives } from '../../../deploy/dev/class-archive.ts'
import { findJava } from '../../../deploy/dev/java.ts'
import { choosePorts } from '../../../deploy/dev/ports.ts'
import { registryUrl, startRegistry } from '../../../deploy/dev/registry.ts'
import { ChdbEngine } from '../../../services/runtime/clickhouse/engine.ts'
import { frontUser, startFront } from '../../../services/runtime/clickhouse/front.ts'
import { createLog } from '../../../services/runtime/log.ts'
import { type SecureBroker, startSecureBroker } from '../../support/secure-broker.ts'

/** A broker that asks for a login over TLS, a registry and ClickHouse, at an address of this machine that pods reach. */
export interface PodServers {
  readonly broker: SecureBroker
  readonly registryUrl: string
  readonly clickhouseUrl: string
  /** Of `winnow`, at the broker and at ClickHouse. */
  readonly user: string
  readonly password: string
  stop(): Promise<void>
}

/** @throws Error with the reason, in words, where they cannot be started here */
export async function startPodServers(folder: string, host: string): Promise<PodServers> {
  await using starting = new AsyncDisposableStack()
  const [user, password] = [frontUser, 'a-password-of-this-test']
  const broker = await startSecureBroker({ [user]: password }, { host, superUsers: [user] })
  if (typeof broker === 'string') throw new Error(broker)
  starting.defer(() => broker.stop())
  const java = await findJava(process.env)
  if ('missing' in java) throw new Error(java.missing)
  const log = createLog('pod-servers', 'warn')
  const artifacts = await ensureArtifacts(process.env, () => {})
  const options = await ensureClassArchives(java, artifacts, log, () => {})
  mkdirSync(folder, { recursive: true })
  const ports = await choosePorts(join(folder, 'ports.json'), portNames)
  const registry = await startRegistry(
    {
      ...{ java: java.command, options: options.registry, folder: join(folder, 'registry'), ports },
      ...{ logFile: join(folder, 'registry.log'), started: () => {} },
    },
    artifacts.registry,
  )
  starting.defer(async () => void (await registry.stop()))
  const engine = starting.adopt(await ChdbEngine.open(join(folder, 'clickhouse')), (one) => one.close())
  const front = starting.adopt(await startFront(engine, password), (one) => one.close())
  const forwarded = async (port: number): Promise<number> => {
    const server = await forward(host, port)
    starting.defer(() => {
      server.closeAllConnections()
      server.close()
    })
    return (server.address() as AddressInfo).port
  }
  const registryPort = await forwarded(ports.registry)
  const clickhousePort = await forwarded(Number(new URL(front.url).port))
  const running = starting.move()
  return {
    ...{ broker, registryUrl: registryUrl(registryPort, host), clickhouseUrl: `http://${host}:${clickhousePort}` },
    ...{ user, password, stop: () => running.disposeAsync() },
  }
}

/** Both listen on loopback alone, and ClickHouse answers to its own name alone. */
async function forward(host: string, port: number): Promise<Server> {
  const server = createServer((asked, answer) => {
    const { method, url: path, headers } = asked
    const own = { ...headers, host: `127.0.0.1:${port}` }
    const passed = request({ host: '127.0.0.1', port, method, path, headers: own }, (answered) => {
      answer.writeHead(answered.statusCode!, answered.headers)
      answered.pipe(answer)
    })
    passed.on('error', () => answer.destroy())
    asked.pipe(passed)
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve))
  return server
}
