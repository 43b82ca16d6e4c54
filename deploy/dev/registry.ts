import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { WinnowError } from '../../services/runtime/errors.ts'
import type { JavaProgram } from './broker.ts'
import { type Child, readyOrStopped, startChild } from './child.ts'

const registryHeap = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

export const registryUrl = (port: number, host = '127.0.0.1'): string => `http://${host}:${port}/apis/ccompat/v7`

/** Starts the schema registry, with its schemas in a file of `folder`, and makes incompatible schemas an error. */
export async function startRegistry(program: JavaProgram, jar: string): Promise<Child> {
  const { folder, ports } = program
  mkdirSync(folder, { recursive: true })
  const child = startChild(
    'schema registry',
    [
      program.java,
      ...registryHeap,
      ...program.options,
      ...registryProperties(ports.registry, ports.registryManagement),
      `-Dapicurio.datasource.url=jdbc:h2:file:${join(folder, 'registry')}`,
      '-jar',
      jar,
    ],
    program.logFile,
    folder,
  )
  program.started(child.identity)
  return await readyOrStopped(
    child,
    /Listening on: http:\/\/127\.0\.0\.1/,
    () => requireCompatibility(registryUrl(ports.registry)),
    program.signal,
  )
}

const registryProperties = (port: number, managementPort: number): string[] => [
  '-Dquarkus.http.host=127.0.0.1',
  `-Dquarkus.http.port=${port}`,
  '-Dquarkus.management.host=127.0.0.1',
  `-Dquarkus.management.port=${managementPort}`,
  '-Dquarkus.http.access-log.enabled=false',
  // Logs "Listening on", which the start waits for.
  '-Dquarkus.log.category."io.quarkus".level=INFO',
  '-Dapicurio.storage.kind=sql',
  '-Dapicurio.storage.sql.kind=h2',
  '-Dapicurio.ccompat.legacy-id-mode.enabled=false',
]

/** BACKWARD_TRANSITIVE for every subject: current readers can read everything ever written. The registry's default is NONE. */
export async function requireCompatibility(url: string): Promise<void> {
  let reason: unknown
  for (let attempt = 0; attempt < 50; attempt++) {
    try {
      const answer = await fetch(`${url}/config`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ compatibility: 'BACKWARD_TRANSITIVE' }),
        signal: AbortSignal.timeout(10_000),
      })
      if (answer.ok) return
      reason = `status ${answer.status}: ${await answer.text()}`
    } catch (error) {
      reason = error
    }
    await sleep(100)
  }
  throw new WinnowError(
    'UNREACHABLE',
    `the schema registry at ${url} does not accept its compatibility setting: ${reason}`,
    {
      cause: reason,
    },
  )
}
