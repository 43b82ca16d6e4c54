import { setTimeout as sleep } from 'node:timers/promises'
import type { ContainerRuntimeClient } from 'testcontainers'

/** A ClickHouse cluster; each of its servers answers for the whole. */
export interface ClickHouseCluster {
  readonly url: string
  /** Its name in the servers' configuration. */
  readonly cluster: string
  readonly shards: number
  stop(): Promise<void>
}

const startMsMax = 60_000

/** Until a server's HTTP interface answers. */
export async function untilAnswers(url: string): Promise<void> {
  const late = AbortSignal.timeout(startMsMax)
  for (;;) {
    const answered = await fetch(`${url}/ping`).catch(() => undefined)
    if (answered?.ok === true) return
    if (late.aborted) throw new Error(`ClickHouse at ${url} does not answer`)
    await sleep(100)
  }
}

/** Containers where an engine answers, else processes. */
export async function startClickHouseCluster(runtime: ContainerRuntimeClient | undefined): Promise<ClickHouseCluster> {
  if (runtime !== undefined) return await (await import('./containers.ts')).startClusterContainers(runtime)
  return await (await import('./processes.ts')).startProcesses(3)
}
