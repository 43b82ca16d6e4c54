import type { TestProject } from 'vitest/node'
import { startServers } from './servers.ts'

declare module 'vitest' {
  interface ProvidedContext {
    brokers: string[]
    registryUrl: string
    clickhouseUrl: string
  }
}

/**
 * One broker, registry and ClickHouse for all integration tests; tests get the addresses with `inject('brokers')` and keep apart by their
 * topics' and databases' names. Ended after the last test, also when tests fail.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const servers = await startServers(process.env, (line) => console.error(line))
  project.provide('brokers', servers.brokers)
  project.provide('registryUrl', servers.registryUrl)
  project.provide('clickhouseUrl', servers.clickhouseUrl)
  return () => servers.stop()
}
