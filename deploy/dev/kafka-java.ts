import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { WinnowError } from '../../services/runtime/errors.ts'
import { ensureArtifacts, howToInstall } from './artifacts.ts'
import { type Ports, portNames, startBroker } from './broker.ts'
import type { Child } from './child.ts'
import { ensureClassArchives } from './class-archive.ts'
import { allOrStop, type ClusterContext, type Kafka } from './context.ts'
import { findJava } from './java.ts'
import { choosePorts } from './ports.ts'
import { registryUrl, startRegistry } from './registry.ts'

// Between choosing a port and the program's taking it, another process may; then others are chosen.
const portAttemptsMax = 3
const portTaken = /Address already in use|BindException|seems to be in use/

/** A broker and a registry from their jars, side by side; UNREACHABLE that says what to install without Java or Maven. */
export async function startJavaKafka(context: ClusterContext): Promise<Kafka> {
  const { stateFolder, env, log } = context
  const java = await findJava(env)
  if ('missing' in java) {
    const message = `no broker can be started: Docker does not answer, and there is ${java.missing}`
    throw new WinnowError('UNREACHABLE', message, { hint: howToInstall })
  }
  const artifacts = await ensureArtifacts(env, context.progress)
  const options = await ensureClassArchives(java, artifacts, log, context.progress)
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
    })
    try {
      const children = await allOrStop<[Child, Child]>([
        startBroker(program('kafka', options.broker), artifacts.broker),
        startRegistry(program('registry', options.registry), artifacts.registry),
      ])
      return running(`Java ${java.version}`, ports, children, context)
    } catch (error) {
      if (attempt === portAttemptsMax || !portTaken.test(String(error))) throw error
      log.warn({ err: error }, 'a port was taken meanwhile: trying others')
    }
  }
}

/** Two programs that are ready; an end that nobody asked for is logged as an error. */
export function running(kind: string, ports: Ports, children: readonly Child[], { log }: ClusterContext): Kafka {
  let stopping = false
  for (const { name, logFile, ended } of children) {
    void ended.then(() => stopping || log.error({ logFile }, `the ${name} ended by itself`))
  }
  return {
    kind,
    brokers: [`127.0.0.1:${ports.broker}`],
    registryUrl: registryUrl(ports.registry),
    pids: children.map((child) => child.identity.pid),
    stop: async () => {
      stopping = true
      await Promise.all(children.map((child) => child.stop()))
    },
  }
}
