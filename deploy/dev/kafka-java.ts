import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../services/runtime/clock.ts'
import { WinnowError } from '../../services/runtime/errors.ts'
import { ensureArtifacts, howToInstall } from './artifacts.ts'
import { type Ports, portNames, startBroker } from './broker.ts'
import type { Child } from './child.ts'
import { ensureClassArchives } from './class-archive.ts'
import { allOrStop, type ClusterContext, type Kafka } from './context.ts'
import { findJava } from './java.ts'
import { choosePorts } from './ports.ts'
import { registryUrl, startRegistry } from './registry.ts'
import { supervise } from './supervise.ts'

// Another process may take a port between our choice and the program's start; then others are chosen.
const portAttemptsMax = 3
const portTaken = /Address already in use|BindException|seems to be in use/

/** A broker and a registry from their jars, in parallel; UNREACHABLE, saying what to install, without Java or Maven. */
export async function startJavaKafka(context: ClusterContext): Promise<Kafka> {
  const { stateFolder, env, log } = context
  const java = await findJava(env)
  if ('missing' in java) {
    const message = `no broker can be started: Docker does not answer, and there is ${java.missing}`
    throw new WinnowError('UNREACHABLE', message, { hint: howToInstall })
  }
  const artifacts = await ensureArtifacts(env, context.progress)
  context.signal?.throwIfAborted()
  const options = await ensureClassArchives(java, artifacts, log, context.progress)
  context.signal?.throwIfAborted()
  const logs = join(stateFolder, 'logs')
  mkdirSync(logs, { recursive: true })
  for (let attempt = 1; ; attempt++) {
    const ports = await choosePorts(join(stateFolder, 'ports.json'), portNames, { renew: attempt > 1 })
    const program = (name: string, own: string[]) => ({
      java: java.command,
      options: own,
      folder: join(stateFolder, name),
      logFile: join(logs, `${name}.log`),
      ports,
      started: context.remember,
      signal: context.signal,
    })
    const starts = [
      () => startBroker(program('kafka', options.broker), artifacts.broker),
      () => startRegistry(program('registry', options.registry), artifacts.registry),
    ]
    try {
      const children = await allOrStop<Child[]>(starts.map((start) => start()))
      return running(`Java ${java.version}`, ports, children, starts, context)
    } catch (error) {
      if (attempt === portAttemptsMax || !portTaken.test(String(error))) throw error
      log.warn({ err: error }, 'a port was taken in the meantime: trying others')
    }
  }
}

/** Programs that are ready, and how each is started again should it end by itself. */
export function running(
  kind: string,
  ports: Ports,
  children: readonly Child[],
  starts: readonly (() => Promise<Child>)[],
  { log, onFailure }: ClusterContext,
): Kafka {
  const supervision = { log, clock: systemClock, sleep: (ms: number) => sleep(ms), onFailure }
  const supervised = children.map((child, i) => supervise(child, starts[i]!, supervision))
  return {
    kind,
    brokers: [`127.0.0.1:${ports.broker}`],
    registryUrl: registryUrl(ports.registry),
    get pids() {
      return supervised.map(({ child }) => child.identity.pid)
    },
    stop: async () => {
      await Promise.all(supervised.map((one) => one.stop()))
    },
  }
}
