import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A Java that runs the broker and the registry. */
export interface Java {
  command: string
  /** Full version, for example `17.0.15+6-Debian-1deb12u1`. */
  version: string
}

// Kafka 4 needs 17.
const versionMin = 17

/** The Java of JAVA_HOME or the PATH, if it is recent enough and Maven is there too; else the reason why not. */
export async function findJava(env: NodeJS.ProcessEnv): Promise<Java | { missing: string }> {
  const command = env.JAVA_HOME ? join(env.JAVA_HOME, 'bin', 'java') : 'java'
  const answer = await run(command, ['-XshowSettings:properties', '-version'], { env }).catch(() => undefined)
  if (!answer) return { missing: `no Java (${command} does not run)` }
  const properties = answer.stderr + answer.stdout
  const version = /java\.runtime\.version = (\S+)/.exec(properties)?.[1] ?? '0'
  const feature = Number(/java\.specification\.version = (\d+)/.exec(properties)?.[1] ?? 0)
  if (feature < versionMin) return { missing: `Java ${version} is too old (${versionMin} or later is needed)` }
  return { command, version }
}
