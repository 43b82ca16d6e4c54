import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync, statfsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { findJava } from '../dev/java.ts'
import { type Finding, ok, problem, warning } from './finding.ts'

const nodeMajorMin = 24
const gibibyte = 2 ** 30
const memoryBytesMin = 4 * gibibyte
const run = promisify(execFile)

export function checkNode(version: string): Finding {
  const major = Number(/^v(\d+)/.exec(version)?.[1])
  if (major >= nodeMajorMin) return ok('node', version)
  return problem(
    'node',
    version,
    `Start it with 'npx winnow' or 'npm run winnow': npm ci installs Node ${nodeMajorMin}.`,
  )
}

/** Packages with binaries for this machine. */
export function checkPackages(): Finding[] {
  const require = createRequire(import.meta.url)
  return ['onnxruntime-node', 'chdb', 'tokenizers', 'kafkajs'].map((name) => {
    try {
      const { version } = require(`${name}/package.json`) as { version: string }
      return ok(name, version)
    } catch (error) {
      // A package may not export its package.json.
      if ((error as NodeJS.ErrnoException).code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') return ok(name, 'installed')
      return problem(name, 'is not installed', 'npm ci')
    }
  })
}

export function checkMemory(bytes: number): Finding {
  const found = `${(bytes / gibibyte).toFixed(1)} GiB`
  if (bytes >= memoryBytesMin) return ok('memory', found)
  return warning('memory', found, 'An embedded cluster with two models in training needs 4 GiB.')
}

/** What can start a cluster here: Docker, or Java with Maven. */
export async function checkStartable(env: NodeJS.ProcessEnv): Promise<Finding> {
  const answers = (command: string, ...args: string[]) =>
    run(command, args, { env }).then(
      ({ stdout }) => stdout.trim(),
      () => '',
    )
  const docker = await answers('docker', 'info', '--format', '{{.ServerVersion}}')
  if (docker !== '') return ok('winnow dev', `Docker ${docker} answers`)
  const [java, maven] = [await findJava(env), await answers('mvn', '-v')]
  const missing = ['missing' in java ? java.missing : '', maven === '' ? 'no Maven (mvn)' : ''].filter(Boolean)
  if (missing.length === 0) return ok('winnow dev', `Java ${(java as { version: string }).version} with Maven`)
  const mend = 'Install Docker, or Java 17 with Maven, or name your own cluster (WINNOW_BROKERS).'
  return problem('winnow dev', `no Docker engine answers, and ${missing.join(', ')}`, mend)
}

/** Free space for a folder, which need not exist yet. */
export function checkDisk(folder: string, stat: typeof statfsSync = statfsSync): Finding {
  let at = folder
  while (!existsSync(at)) at = dirname(at)
  const { bavail, blocks, bsize } = stat(at)
  const [free, all] = [bavail * bsize, blocks * bsize]
  const found = `${(free / gibibyte).toFixed(1)} GiB free of ${(all / gibibyte).toFixed(1)} GiB for ${folder}`
  const mend = `Free some, or move the data (dataFolder in winnow.yaml, WINNOW_DATA). A full disk stops the cluster.`
  if (free < gibibyte / 2) return problem('disk', found, mend)
  return free < 5 * gibibyte ? warning('disk', found, mend) : ok('disk', found)
}

/** The process that listens on a port of this machine, from /proc where it is readable. */
export function portOwner(port: number): string | undefined {
  const listening = '0A'
  const hexadecimal = port.toString(16).toUpperCase().padStart(4, '0')
  const inodes = new Set(
    ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) =>
      linesOf(file).flatMap((line) => {
        const fields = line.trim().split(/\s+/)
        return fields[1]?.endsWith(`:${hexadecimal}`) && fields[3] === listening ? [`socket:[${fields[9]}]`] : []
      }),
    ),
  )
  if (inodes.size === 0) return undefined
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (socketsOf(pid).some((socket) => inodes.has(socket))) {
      const command = linesOf(`/proc/${pid}/cmdline`)[0]?.replaceAll('\0', ' ').trim() ?? ''
      return `process ${pid} (${command.slice(0, 80)})`
    }
  }
  return 'a process of another user'
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n')
  } catch {
    return []
  }
}

function socketsOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((descriptor) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${descriptor}`)]
      } catch {
        return []
      }
    })
  } catch {
    return []
  }
}
