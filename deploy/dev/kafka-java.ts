import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { WinnowError } from '../../services/runtime/errors.ts'
import { ensureArtifacts, howToInstall } from './artifacts.ts'
import { startBroker } from './broker.ts'
import type { Child } from './child.ts'
import { ensureClassArchives } from './class-archive.ts'
import type { ClusterContext, Kafka } from './cluster.ts'
import { findJava } from './java.ts'
import { registryUrl, startRegistry } from './registry.ts'

/** A broker and a registry from their jars, side by side; UNREACHABLE that says what to install without Java or Maven. */
export async function startJavaKafka(context: ClusterContext): Promise<Kafka> {
  const { stateFolder, ports, env } = context
  const java = await findJava(env)
  if ('missing' in java) {
    throw new WinnowError(
      'UNREACHABLE',
      `no broker can be started: Docker does not answer, and there is ${java.missing}`,
      { hint: howToInstall },
    )
  }
  const artifacts = await ensureArtifacts(env, context.progress)
  const options = await ensureClassArchives(java, artifacts, context.log, context.progress)
  const logs = join(stateFolder, 'logs')
  mkdirSync(logs, { recursive: true })
  const program = (name: string, options: string[]) => ({
    java: java.command,
    options,
    folder: join(stateFolder, name),
    logFile: join(logs, `${name}.log`),
    ports,
    started: context.remember,
  })
  const starting = [
    startBroker(program('kafka', options.broker), artifacts.broker),
    startRegistry(program('registry', options.registry), artifacts.registry),
  ]
  const results = await Promise.allSettled(starting)
  const children = results.flatMap((result): Child[] => (result.status === 'fulfilled' ? [result.value] : []))
  const stop = async () => void (await Promise.all(children.map((child) => child.stop())))
  for (const result of results) {
    if (result.status === 'rejected') {
      await stop()
      throw result.reason
    }
  }
  for (const child of children) {
    void child.ended.then(() => context.log.info({ program: child.name, logFile: child.logFile }, 'program ended'))
  }
  return {
    kind: `Java ${java.version}`,
    brokers: [`127.0.0.1:${ports.broker}`],
    registryUrl: registryUrl(ports.registry),
    identities: children.map((child) => child.identity),
    stop,
  }
}
