import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureArtifacts } from '../../deploy/dev/artifacts.ts'
import { readClusterId, startBroker } from '../../deploy/dev/broker.ts'
import type { Child } from '../../deploy/dev/child.ts'
import { ensureClassArchives } from '../../deploy/dev/class-archive.ts'
import { findJava } from '../../deploy/dev/java.ts'
import { choosePorts } from '../../deploy/dev/ports.ts'
import { createLog } from '../../services/runtime/log.ts'
import { FaultProxy } from './proxy.ts'

const java = await findJava(process.env)
/** Brokers to be killed are started from their jars. */
export const brokersCanBeStarted = !('missing' in java)

/** A real broker that clients reach through a proxy alone. */
export interface TestBroker {
  readonly proxy: FaultProxy
  /** Where it listens itself: it answers there, and sends clients to the proxy. */
  readonly port: number
  /** Where its partitions lie. */
  readonly logFolder: string
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** Once more on the same data. */
  start(): Promise<void>
}

export interface TestBrokers {
  readonly brokers: readonly TestBroker[]
  /** Addresses of the proxies. */
  readonly addresses: string[]
  close(): Promise<void>
}

/** One broker, or three that keep three replicas of everything, of which two must have a record before it is acknowledged. */
export async function startBrokers(count: 1 | 3, root = tmpdir()): Promise<TestBrokers> {
  if ('missing' in java) throw new Error(`no Java: ${java.missing}`)
  const folder = mkdtempSync(join(root, 'winnow-brokers-'))
  const progress = (line: string) => console.error(line)
  const artifacts = await ensureArtifacts(process.env, progress)
  const { broker: options } = await ensureClassArchives(java, artifacts, createLog('brokers', 'warn'), progress)
  const names = Array.from({ length: count }, (_, i) => [`broker-${i}`, `controller-${i}`]).flat()
  const ports = await choosePorts(join(folder, 'ports.json'), names)
  const voters = Array.from({ length: count }, (_, i) => `${i + 1}@127.0.0.1:${ports[`controller-${i}`]}`).join(',')
  const replicas = `${count}`
  const insync = count === 3 ? '2' : '1'
  const clusterId = readClusterId(folder)
  const brokers = await Promise.all(
    Array.from({ length: count }, async (_, i): Promise<TestBroker> => {
      const own = join(folder, `${i}`)
      mkdirSync(own)
      writeFileSync(join(own, 'cluster-id'), clusterId)
      const [broker, controller] = [ports[`broker-${i}`]!, ports[`controller-${i}`]!]
      const proxy = await FaultProxy.open(() => broker)
      let child: Child | undefined
      const start = async () => {
        const program = {
          java: java.command,
          options,
          folder: own,
          logFile: join(folder, `${i}.log`),
          ports: { broker, controller, registry: 0, registryManagement: 0 },
          started: () => {},
          properties: {
            'node.id': `${i + 1}`,
            'controller.quorum.voters': voters,
            'advertised.listeners': `PLAINTEXT://127.0.0.1:${proxy.port}`,
            'default.replication.factor': replicas,
            'min.insync.replicas': insync,
            'offsets.topic.replication.factor': replicas,
            'transaction.state.log.replication.factor': replicas,
            'transaction.state.log.min.isr': insync,
            // A follower that is gone is missed soon.
            'replica.lag.time.max.ms': '2000',
          },
        }
        child = await startBroker(program, artifacts.broker)
      }
      const kill = async () => {
        process.kill(child!.identity.pid, 'SIGKILL')
        await child!.ended
      }
      await start()
      return { proxy, port: broker, logFolder: join(own, 'log'), kill, start }
    }),
  )
  return {
    brokers,
    addresses: brokers.map(({ proxy }) => `127.0.0.1:${proxy.port}`),
    close: async () => {
      await Promise.all(brokers.map((broker) => broker.kill().catch(() => {})))
      await Promise.all(brokers.map(({ proxy }) => proxy.close()))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
