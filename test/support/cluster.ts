import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { startCluster } from '../../deploy/dev/cluster.ts'
import { createLog } from '../../services/runtime/log.ts'

declare module 'vitest' {
  interface ProvidedContext {
    brokers: string[]
    registryUrl: string
    clickhouseUrl: string
  }
}

/**
 * One broker, registry and ClickHouse for all integration tests, on a folder of their own; tests get the addresses with
 * `inject('brokers')` and keep apart by their topics' and databases' names. Ended after the last test, also when tests fail;
 * should the test runner be killed, they end with it.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'winnow-test-'))
  const remove = () => rmSync(dataFolder, { recursive: true, force: true })
  try {
    const cluster = await startCluster({
      dataFolder,
      log: createLog('test-cluster', process.env.WINNOW_LOG_LEVEL ?? 'warn'),
      progress: (line) => console.error(line),
    })
    project.provide('brokers', cluster.brokers)
    project.provide('registryUrl', cluster.registryUrl)
    project.provide('clickhouseUrl', cluster.clickhouseUrl)
    return async () => {
      await cluster.stop()
      remove()
    }
  } catch (error) {
    remove()
    throw error
  }
}
