import type { Command } from 'commander'
import { configOf } from '../../services/cli/config-of.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print } from '../../services/cli/context.ts'
import { summaries } from '../../services/cli/summaries.ts'
import { credentialsOf } from '../../services/config/credentials.ts'
import { WinnowError } from '../../services/runtime/errors.ts'
import { json } from '../../services/runtime/json.ts'
import { createConnection } from '../../services/runtime/kafka/connection.ts'
import { createLog } from '../../services/runtime/log.ts'
import { commandOf, entryOf, permissionsOf, serviceNames } from './acls.ts'

interface Options extends GlobalOptions {
  readonly json?: boolean
  readonly principal?: string
  readonly actor?: string
  readonly run?: string
  readonly apply?: boolean
}

/** `winnow acls`: the permissions of deploy/acls/acls.yaml, as commands of Kafka's own tool or applied. */
export const acls = (context: CliContext): Command =>
  clusterCommand('acls', summaries.acls)
    .argument('<service>', `one of ${serviceNames.join(', ')}`)
    .option('--principal <principal>', 'who runs it (default: User:winnow-SERVICE)')
    .option('--actor <name>', 'the actor, for a labeler')
    .option('--run <name>', 'the run, for a station or trainer')
    .option('--json', 'the permissions as JSON instead of commands')
    .option('--apply', 'grant the permissions, as the configured user, instead of printing commands')
    .addHelpText(
      'after',
      example('winnow acls ingest', 'winnow acls labeler --actor topic --principal User:labelers --apply'),
    )
    .action(async (service: string, options: Options) => {
      const { principal = `User:winnow-${service}`, actor, run } = options
      const permissions = permissionsOf(service, {
        ...(actor !== undefined && { actor }),
        ...(run !== undefined && { run }),
      })
      if (!options.apply) {
        if (options.json) return await print(context.stdout, `${json(permissions)}\n`)
        return await print(context.stdout, permissions.map((one) => `${commandOf(principal, one)}\n`).join(''))
      }
      const config = configOf(context, options)
      if (config.kafka.brokers.length === 0) {
        throw new WinnowError('CONFIGURATION', 'no brokers are configured', {
          hint: 'Set kafka.brokers in winnow.yaml, or WINNOW_BROKERS. The cluster of winnow dev has no authorizer.',
        })
      }
      const { kafka } = credentialsOf(config, context.env)
      const log = createLog('winnow', context.env.WINNOW_LOG_LEVEL ?? 'warn')
      await using opened = new AsyncDisposableStack()
      const connection = createConnection({ brokers: config.kafka.brokers, clientId: 'winnow-acls', log, ...kafka })
      opened.defer(() => connection.close())
      const admin = await connection.admin()
      const acl = permissions.map((one) => entryOf(principal, one))
      await connection.attempt('grant the permissions', () => admin.createAcls({ acl }))
      context.stderr.write(`${principal} now has the ${permissions.length} permissions of ${service}\n`)
    })
