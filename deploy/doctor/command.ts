import { totalmem } from 'node:os'
import type { Command } from 'commander'
import { configOf } from '../../services/cli/config-of.ts'
import {
  type CliContext,
  clusterCommand,
  example,
  type GlobalOptions,
  print,
  widthOf,
} from '../../services/cli/context.ts'
import { summaries } from '../../services/cli/summaries.ts'
import type { Config } from '../../services/config/config.ts'
import { answerWithinMs } from '../../services/connections/answering.ts'
import type { Addresses } from '../../services/connections/connections.ts'
import { shardKey } from '../../services/corpus/shard-key.ts'
import { labelerVersions } from '../../services/runs/label-progress.ts'
import { systemClock } from '../../services/runtime/clock.ts'
import { exitCodes, WinnowError } from '../../services/runtime/errors.ts'
import { json } from '../../services/runtime/json.ts'
import { createConnection } from '../../services/runtime/kafka/connection.ts'
import { createLog } from '../../services/runtime/log.ts'
import { registryClient } from '../../services/runtime/registry.ts'
import { within } from '../../services/runtime/within.ts'
import { table } from '../../services/terminal/table.ts'
import { permissionsOf } from '../acls/acls.ts'
import { locate, runtimeOptions } from '../connect.ts'
import { listens } from '../dev/ports.ts'
import { exitCodeOfFindings, type Finding, ok, problem, skipped, unreachable, warning } from './finding.ts'
import { checkBrokers, checkPermissions, checkTopics } from './kafka.ts'
import { checkKeyFile, checkTextKeys } from './keys.ts'
import { checkLogs } from './logs.ts'
import { checkDisk, checkMemory, checkNode, checkPackages, checkStartable, portOwner } from './machine.ts'
import { checkRegistryOfLog } from './registry-of-log.ts'
import { askRegistry, checkClickHouse, checkRegistry, coveredInClickHouse } from './stores.ts'

/** Less than Kafka has to answer in, so that a registry that hangs is not taken for it. */
const registryOfLogMs = answerWithinMs / 2
const coveredMs = answerWithinMs / 2

interface Options extends GlobalOptions {
  readonly json?: boolean
  readonly service?: string
  readonly actor?: string
  readonly run?: string
}

/** `winnow doctor`: checks everything winnow depends on and says how to fix what is wrong. Changes nothing. */
export const doctor = (context: CliContext): Command =>
  clusterCommand('doctor', summaries.doctor)
    .option('--json', 'as JSON')
    .option('--service <name>', 'check whether the user has the permissions of this service (winnow acls)')
    .option('--actor <name>', 'the actor, for the permissions of a labeler')
    .option('--run <name>', 'the run, for the permissions of a station or trainer')
    .addHelpText('after', example('winnow doctor', 'winnow doctor --json | jq \'.[] | select(.state != "ok")\''))
    .action(async (options: Options) => {
      const findings = await examine(context, options)
      if (options.json) await print(context.stdout, `${json(findings)}\n`)
      else await print(context.stdout, `${inWords(findings, widthOf(context.stdout))}\n`)
      context.exitCode(exitCodeOfFindings(findings))
    })

function inWords(findings: readonly Finding[], width: number | undefined): string {
  const columns = [{ title: 'check' }, { title: 'state' }, { title: 'found' }]
  const rows = findings.map(({ check, state, found }) => [check, state, found])
  const mends = findings.flatMap(({ check, mend }) => (mend === undefined ? [] : [`${check}: ${mend}`]))
  const rest = mends.length === 0 ? [] : ['', 'How to mend it:', ...mends.map((mend) => `- ${mend}`)]
  return [table(columns, rows, { width }), ...rest].join('\n')
}

async function examine(context: CliContext, options: Options): Promise<Finding[]> {
  const machine = [checkNode(process.version), checkMemory(totalmem()), ...checkPackages()]
  let config: Config
  try {
    config = configOf(context, options)
    machine.push(ok('configuration', config.file ?? 'defaults and environment'), checkDisk(config.dataFolder))
    const versions = await labelerVersions(config)
    machine.push(ok('labelers', [...versions.keys()].join(', ')))
    const found = locate(context, config)
    const { encryption } = runtimeOptions(found?.config ?? config)
    const keyFile = encryption === undefined ? undefined : checkKeyFile(encryption)
    machine.push(...(keyFile?.findings ?? []))
    if (found === undefined) {
      const none = warning('cluster', `none is configured, and none runs on ${config.dataFolder}`, 'npx winnow dev')
      return [...machine, await checkStartable(context.env), none]
    }
    // Of a file that is none nothing more can be said than that.
    const asking =
      keyFile !== undefined && keyFile.masterKeys === undefined
        ? []
        : checkTextKeys(spreadOver(found.addresses), keyFile?.masterKeys, answerWithinMs)
    return [...machine, ...(await examineCluster(found.addresses, found.config, options)), ...(await asking)]
  } catch (error) {
    if (!(error instanceof WinnowError) || error.exitCode !== exitCodes.configuration) throw error
    return [...machine, problem('configuration', error.message, error.hint ?? 'Correct it.')]
  }
}

async function examineCluster(addresses: Addresses, config: Config, options: Options): Promise<Finding[]> {
  const { brokers, registryUrl, cluster, credentials = {} } = addresses
  const parts = await Promise.all([
    Promise.all(brokers.map(checkPort)),
    inTime('kafka', examineKafka(addresses, config, options)),
    inTime('registry', checkRegistry(registryUrl, credentials.registry, systemClock)),
    inTime(
      'clickhouse',
      checkClickHouse({ ...clickHouseOf(addresses), ...(cluster !== undefined && { cluster }) }, systemClock),
    ),
  ])
  return parts.flat()
}

const clickHouseOf = ({ clickhouseUrl, database, credentials = {} }: Addresses) => ({
  url: clickhouseUrl,
  ...(database !== undefined && { database }),
  ...credentials.clickHouse,
})

const spreadOver = (addresses: Addresses) => ({
  ...clickHouseOf(addresses),
  ...(addresses.cluster !== undefined && { cluster: { name: addresses.cluster, shardKey } }),
})

/** What was found, or that the part hangs: it is named before whoever asks gives up. */
async function inTime(check: string, looking: Promise<Finding[]>): Promise<Finding[]> {
  const late = new WinnowError(
    'UNREACHABLE',
    `does not answer within ${answerWithinMs / 1000} s, though it may take connections`,
  )
  try {
    return await within(answerWithinMs, looking, () => late)
  } catch (error) {
    if (error !== late) throw error
    const mend = 'It hangs, or the network loses what is sent: look at its process, log and disk.'
    return [unreachable(check, late.message, mend)]
  }
}

/** Whether something listens at an address and, on this machine, which process. */
async function checkPort(address: string): Promise<Finding> {
  const separator = address.lastIndexOf(':')
  const [host, port] = [address.slice(0, separator), Number(address.slice(separator + 1))]
  const check = `port ${address}`
  if (!(await listens(address, 3_000)))
    return unreachable(check, 'nothing listens', 'Start the broker, or correct WINNOW_BROKERS.')
  const local = ['127.0.0.1', 'localhost', '::1'].includes(host)
  return ok(check, (local ? portOwner(port) : undefined) ?? 'somebody listens')
}

async function examineKafka(addresses: Addresses, config: Config, options: Options): Promise<Finding[]> {
  const { brokers, credentials = {} } = addresses
  const log = createLog('winnow', 'silent')
  await using opened = new AsyncDisposableStack()
  const connection = createConnection({ brokers, clientId: 'winnow-doctor', log, ...credentials.kafka })
  opened.defer(() => connection.close())
  try {
    const admin = await connection.admin()
    const registry = registryClient(addresses.registryUrl, credentials.registry)
    const asking = checkRegistryOfLog(connection, askRegistry(addresses.registryUrl, credentials.registry))
    // A registry that is away or hangs is told by its own check.
    const registryOfLog = within(registryOfLogMs, asking, () => new Error('late')).catch(() => [])
    const covered = within(coveredMs, coveredInClickHouse(clickHouseOf(addresses)), () => new Error('late')).catch(
      () => undefined,
    )
    return await connection.attempt('look at the cluster', async () => [
      ...(await checkBrokers(admin)),
      ...(await checkTopics(admin, config)),
      ...(await checkLogs(connection, await labelerVersions(config), registry, registryOfLogMs, await covered)),
      ...(await registryOfLog),
      await permissions(),
    ])
    async function permissions(): Promise<Finding> {
      const { username } = config.kafka
      const { service, actor, run } = options
      if (username === undefined) return await checkPermissions(admin, 'User:ANONYMOUS', [])
      if (service === undefined) return skipped('permissions', 'name a service with --service to check its permissions')
      const names = { ...(actor !== undefined && { actor }), ...(run !== undefined && { run }) }
      return await checkPermissions(admin, `User:${username}`, permissionsOf(service, names))
    }
  } catch (error) {
    if (!(error instanceof WinnowError) || error.code === 'USAGE') throw error
    const mend = error.hint ?? 'Look at its log.'
    return [(error.code === 'UNREACHABLE' ? unreachable : problem)('kafka', error.message, mend)]
  }
}
