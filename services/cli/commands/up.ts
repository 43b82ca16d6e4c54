import type { Command } from 'commander'
import { boardOptions } from '../../board/board.ts'
import { labelerVersions } from '../../runs/label-progress.ts'
import { runnable } from '../../runs/registry.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { runUntilSignal } from '../../runtime/lifecycle.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions } from '../context.ts'
import { startEverything } from '../everything.ts'
import { summaries } from '../summaries.ts'
import { paused } from './run-services.ts'

interface Options extends GlobalOptions {
  readonly run?: readonly string[]
  readonly allRuns?: boolean
  readonly trainer: boolean
  readonly board: boolean
  readonly json?: boolean
}

/** What `winnow dev` starts, on a cluster of one's own. */
export const up = (context: CliContext): Command =>
  clusterCommand('up', summaries.up)
    .option(
      '--run <name>',
      'also everything that this run needs; may be repeated',
      (name: string, names: readonly string[] = []) => [...names, name],
    )
    .option('--all-runs', 'also everything that the recorded runs need, those too that are recorded later')
    .option('--no-trainer', 'of runs, all but the trainer: yours is elsewhere')
    .option('--no-board', 'without the web page')
    .option('--json', 'print the address of the board as a JSON line once everything runs')
    .addHelpText(
      'after',
      example('winnow up', 'winnow up --run first --run first-control', 'winnow up --all-runs --no-trainer'),
    )
    .action(async (options: Options) => {
      const code = await runUntilSignal(async (started, signal, fail) => {
        const { runtime, config } = started.use(await context.connect(options, { metrics: true }))
        if (config.kafka.brokers.length === 0)
          throw new WinnowError(
            'CONFIGURATION',
            'no brokers are configured, and what runs here runs everything already',
            {
              hint: 'winnow dev starts broker, registry, ClickHouse and all services here; for a cluster of yours: winnow init --brokers HOST:PORT.',
            },
          )
        // A missing model or run is reported before anything is started.
        await labelerVersions(config)
        for (const name of options.run ?? []) {
          const { life } = await runnable(runtime, name)
          if (life === 'paused') context.stderr.write(`${paused(name)}\n`)
        }
        const { boardUrl } = await startEverything({
          ...{ runtime, config, started, signal, fail, host: context },
          ...(options.allRuns !== true && { runs: new Set(options.run) }),
          parts: options.trainer ? ['stations', 'trainer'] : ['stations'],
          ...(options.board && { board: boardOptions(context.env) }),
        })
        runtime.metrics?.readiness.serveUntil(signal)
        if (options.json === true) context.stdout.write(`${json({ boardUrl: boardUrl ?? null })}\n`)
        context.stderr.write('everything runs; Ctrl-C drains and stops\n')
      })
      context.exitCode(code)
    })
