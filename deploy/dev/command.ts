import type { Command } from 'commander'
import { boardOptions } from '../../services/board/board.ts'
import { configOf } from '../../services/cli/config-of.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions } from '../../services/cli/context.ts'
import { startEverything } from '../../services/cli/everything.ts'
import { summaries } from '../../services/cli/summaries.ts'
import { whatHangs } from '../../services/connections/answering.ts'
import { openRuntime } from '../../services/connections/connections.ts'
import { labelerVersions } from '../../services/runs/label-progress.ts'
import { withoutLogin } from '../../services/runtime/address.ts'
import { runUntilSignal } from '../../services/runtime/lifecycle.ts'
import { createLog } from '../../services/runtime/log.ts'
import { openMetrics, runtimeOptions } from '../connect.ts'
import { startCluster } from './cluster.ts'

/** `winnow dev`: broker, registry, ClickHouse and all services in one process group. */
export const dev = (context: CliContext): Command =>
  clusterCommand('dev', summaries.dev)
    .option('--fresh', 'discard what an earlier start left')
    .option('--json', 'print its addresses as a JSON line once it is ready')
    .addHelpText('after', example('winnow dev', 'winnow dev --data /tmp/try --fresh'))
    .action(async (options: GlobalOptions & { fresh?: boolean; json?: boolean }) => {
      const config = configOf(context, options)
      const log = createLog('winnow')
      const say = (line: string) => context.stderr.write(`${line}\n`)
      const code = await runUntilSignal(async (started, signal, fail) => {
        // A missing model is reported before anything is started.
        await labelerVersions(config)
        const cluster = await startCluster({
          dataFolder: config.dataFolder,
          fresh: options.fresh === true,
          env: context.env,
          log,
          progress: say,
          signal,
          onFailure: fail,
        })
        started.defer(() => cluster.stop())
        signal.throwIfAborted()
        const measured = await openMetrics(config, say)
        started.defer(() => measured?.service.close())
        const runtime = await openRuntime(cluster, log, runtimeOptions(config, measured))
        measured?.metrics.dependsOn(() => whatHangs(cluster))
        started.defer(() => runtime.close())
        signal.throwIfAborted()
        const { boardUrl } = await startEverything({
          ...{ runtime, config, started, signal, fail, host: context },
          board: boardOptions(context.env),
        })
        measured?.metrics.readiness.serveUntil(signal)
        say(
          `ready: brokers ${cluster.brokers.join(',')}, registry ${withoutLogin(cluster.registryUrl)}, ClickHouse ${withoutLogin(cluster.clickhouseUrl)}`,
        )
        if (options.json === true) {
          const { brokers } = cluster
          const registryUrl = withoutLogin(cluster.registryUrl)
          const clickhouseUrl = withoutLogin(cluster.clickhouseUrl)
          context.stdout.write(`${JSON.stringify({ brokers, registryUrl, clickhouseUrl, boardUrl })}\n`)
        }
        say('ingest with: npx winnow ingest FILES; Ctrl-C drains and stops')
      })
      context.exitCode(code)
    })
