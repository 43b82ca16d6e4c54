import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ContainerRuntimeClient } from 'testcontainers'
import { startCluster } from '../../deploy/dev/cluster.ts'
import { createLog } from '../../services/runtime/log.ts'
import { startContainers } from './containers.ts'

/** A broker, a registry and ClickHouse, whatever they run in. */
export interface Servers {
  readonly brokers: string[]
  readonly registryUrl: string
  /** Including its password, if it has one. */
  readonly clickhouseUrl: string
  stop(): Promise<void>
}

/** What the servers run in, and why. */
export type Choice =
  | { readonly kind: 'containers'; readonly why: string; readonly runtime: ContainerRuntimeClient }
  | { readonly kind: 'jars' | 'named'; readonly why: string }

/** An engine that does not answer in this time is none. */
const answerMsMax = 5_000

/** testcontainers' client of the engine that answers, if one does. It is loaded when it is asked: that takes longer than the answer. */
export async function findRuntime(): Promise<ContainerRuntimeClient | undefined> {
  const { getContainerRuntimeClient } = await import('testcontainers')
  const late = AbortSignal.timeout(answerMsMax)
  return await Promise.race([
    getContainerRuntimeClient().catch(() => undefined),
    new Promise<undefined>((resolve) => late.addEventListener('abort', () => resolve(undefined))),
  ])
}

/**
 * Containers where Docker (or what testcontainers takes for it) answers, else the jars with chDB; WINNOW_TEST_SERVERS=containers or jars
 * says which. A broker and a registry that the environment names are taken as they are.
 */
export async function chooseServers(env: NodeJS.ProcessEnv, find = findRuntime): Promise<Choice> {
  const wanted = env.WINNOW_TEST_SERVERS || undefined
  if (wanted === undefined && env.WINNOW_BROKERS) return { kind: 'named', why: 'WINNOW_BROKERS is set' }
  if (wanted === 'jars') return { kind: 'jars', why: 'WINNOW_TEST_SERVERS says so' }
  if (wanted !== undefined && wanted !== 'containers')
    throw new Error(`WINNOW_TEST_SERVERS is '${wanted}': it can be 'containers' or 'jars'`)
  const runtime = await find()
  if (runtime !== undefined)
    return { kind: 'containers', why: wanted ? 'WINNOW_TEST_SERVERS says so' : 'a container engine answers', runtime }
  if (wanted !== undefined)
    throw new Error(
      'WINNOW_TEST_SERVERS asks for containers, and no container engine answers: start Docker (or set DOCKER_HOST), or take jars',
    )
  return { kind: 'jars', why: 'no container engine answers' }
}

/** Of tests that are about containers: what is said where no engine answers, and how it ends; undefined: one answers. */
export async function leftWithoutEngine(
  env: NodeJS.ProcessEnv,
  find = findRuntime,
): Promise<{ line: string; code: number } | undefined> {
  if ((await find()) !== undefined) return undefined
  const required = env.WINNOW_TEST_CONTAINERS === 'required'
  const why = 'no container engine answers: start Docker, or set DOCKER_HOST'
  return { line: `${required ? '!!' : '↓'} not run against containers: ${why}`, code: required ? 1 : 0 }
}

const descriptions = {
  containers: 'Kafka, registry and ClickHouse server in containers',
  jars: 'Kafka and registry from their jars, ClickHouse embedded',
  named: 'those that the environment names',
}

/** Starts the servers and says once, by `progress`, which they are. */
export async function startServers(
  env: NodeJS.ProcessEnv,
  progress: (line: string) => void,
  find = findRuntime,
): Promise<Servers> {
  const choice = await chooseServers(env, find)
  progress(`test servers: ${descriptions[choice.kind]} (${choice.why})`)
  if (choice.kind !== 'containers') return await startInProcess(env, progress)
  try {
    return await startContainers(choice.runtime)
  } catch (error) {
    if (env.WINNOW_TEST_SERVERS) throw error
    progress(`test servers: ${descriptions.jars}, since containers did not start: ${error}`)
    return await startInProcess(env, progress)
  }
}

/** On a folder of their own, as `winnow dev` starts them; should the test runner be killed, they end with it. */
async function startInProcess(env: NodeJS.ProcessEnv, progress: (line: string) => void): Promise<Servers> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'winnow-test-'))
  const remove = () => rmSync(dataFolder, { recursive: true, force: true })
  try {
    const log = createLog('test-cluster', env.WINNOW_LOG_LEVEL ?? 'warn')
    const cluster = await startCluster({ dataFolder, env, jars: true, log, progress })
    const stop = async () => {
      await cluster.stop()
      remove()
    }
    return { ...cluster, stop }
  } catch (error) {
    remove()
    throw error
  }
}
