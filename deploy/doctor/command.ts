import { execFile } from 'node:child_process'
import { statfsSync } from 'node:fs'
import { totalmem } from 'node:os'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import type { Command } from 'commander'
import {
  type CliContext,
  clusterCommand,
  example,
  type GlobalOptions,
  json,
  print,
  widthOf,
} from '../../services/cli/context.ts'
import { table } from '../../services/cli/table.ts'
import { labelerVersions } from '../../services/host/label-progress.ts'
import { exitCodes, WinnowError } from '../../services/runtime/errors.ts'
import { configOf, namedAddresses } from '../connect.ts'
import { readEndpoints } from '../dev/cluster.ts'
import { findJava } from '../dev/java.ts'

interface Finding {
  readonly check: string
  readonly ok: boolean
  readonly found: string
}

const nodeMajorMin = 24
const memoryBytesMin = 4 * 2 ** 30
const diskBytesMin = 2 * 2 ** 30

/** `winnow doctor`: what winnow needs, what of it is here, and what to do about the rest. */
export const doctor = (context: CliContext): Command =>
  clusterCommand(
    'doctor',
    'checks what winnow needs: Node, configuration, labelers, the cluster or what starts one here',
  )
    .option('--json', 'as JSON')
    .addHelpText('after', example('winnow doctor', "winnow doctor --json | jq '.[] | select(.ok | not)'"))
    .action(async (options: GlobalOptions & { json?: boolean }) => {
      const findings = await examine(context, options)
      if (options.json) await print(context.stdout, `${json(findings)}\n`)
      else {
        const columns = [{ title: 'check' }, { title: '' }, { title: 'found' }]
        const rows = findings.map(({ check, ok, found }) => [check, ok ? 'ok' : 'NOT OK', found])
        await print(context.stdout, `${table(columns, rows, { width: widthOf(context.stdout) })}\n`)
      }
      if (findings.some(({ ok }) => !ok)) context.exitCode(exitCodes.configuration)
    })

async function examine(context: CliContext, options: GlobalOptions): Promise<Finding[]> {
  const { node } = process.versions
  const machine: Finding[] = [
    { check: 'Node', ok: Number(node.split('.')[0]) >= nodeMajorMin, found: `${node} (${nodeMajorMin} or later)` },
    { check: 'memory', ok: totalmem() >= memoryBytesMin, found: `${gibibytes(totalmem())} (4 GiB or more)` },
  ]
  const config = await attempt(
    'configuration',
    async () => configOf(context, options),
    ({ file }) => file ?? 'defaults; no winnow.yaml here',
  )
  if (config.value === undefined) return [...machine, config.finding]
  const { value } = config
  const labelers = await attempt(
    'labelers',
    () => labelerVersions(value),
    (versions) => [...versions.keys()].join(', '),
  )
  const found = [...machine, config.finding, labelers.finding, await disk(value.dataFolder)]
  const named = await attempt(
    'addresses',
    async () => namedAddresses(value, context.env),
    () => 'complete',
  )
  if (!named.finding.ok) return [...found, named.finding]
  if (named.value === undefined && readEndpoints(value.dataFolder) === undefined)
    return [...found, await startable(context.env)]
  const cluster = await attempt(
    'cluster',
    async () => {
      const { runtime, close } = await context.connect(options)
      const topics = await runtime.kafka.topicNames().finally(close)
      return topics.filter((name) => name.startsWith('winnow.')).length
    },
    (topics) => `brokers, registry and ClickHouse answer; ${topics} topics of winnow`,
  )
  return [...found, cluster.finding]
}

async function attempt<T>(
  check: string,
  work: () => Promise<T>,
  say: (value: T) => string,
): Promise<{ finding: Finding; value?: T }> {
  try {
    const value = await work()
    return { finding: { check, ok: true, found: say(value) }, value }
  } catch (error) {
    const parts = error instanceof WinnowError ? [error.message, error.hint] : [String(error)]
    return { finding: { check, ok: false, found: parts.filter((part) => part !== undefined).join(' ') } }
  }
}

/** Of the nearest folder that is there. */
async function disk(folder: string): Promise<Finding> {
  for (let at = folder; ; at = dirname(at)) {
    try {
      const { bavail, bsize } = statfsSync(at)
      return {
        check: 'disk',
        ok: bavail * bsize >= diskBytesMin,
        found: `${gibibytes(bavail * bsize)} free at ${at} (2 GiB or more)`,
      }
    } catch {
      if (at === dirname(at)) return { check: 'disk', ok: false, found: `${folder} cannot be looked at` }
    }
  }
}

/** Without a cluster of one's own: Docker, or Java with Maven, starts one here. */
async function startable(env: NodeJS.ProcessEnv): Promise<Finding> {
  const run = promisify(execFile)
  const docker = await run('docker', ['info', '--format', '{{.ServerVersion}}'], { env }).then(
    ({ stdout }) => stdout.trim(),
    () => '',
  )
  if (docker !== '') return { check: 'winnow dev', ok: true, found: `Docker ${docker} answers` }
  const [java, maven] = [
    await findJava(env),
    await run('mvn', ['-v'], { env }).then(
      () => true,
      () => false,
    ),
  ]
  if ('missing' in java || !maven) {
    const missing = ['missing' in java ? java.missing : undefined, maven ? undefined : 'no Maven (mvn)']
    const what = missing.filter((part) => part !== undefined).join(', ')
    return {
      check: 'winnow dev',
      ok: false,
      found: `no Docker engine answers, and ${what}. Install Docker, or Java 17 with Maven, or name your cluster in winnow.yaml`,
    }
  }
  return { check: 'winnow dev', ok: true, found: `Java ${java.version} with Maven` }
}

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`
