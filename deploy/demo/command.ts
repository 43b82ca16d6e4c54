import type { Command } from 'commander'
import {
  type CliContext,
  clusterCommand,
  example,
  type GlobalOptions,
  naturalNumber,
} from '../../services/cli/context.ts'
import { summaries } from '../../services/cli/summaries.ts'
import { exitCodes } from '../../services/runtime/errors.ts'
import { runUntilSignal } from '../../services/runtime/lifecycle.ts'
import { configOf } from '../connect.ts'
import { startDemo } from './demo.ts'
import { stepsDefault } from './runs.ts'

export const demo = (context: CliContext): Command =>
  clusterCommand('demo', summaries.demo)
    .option('--exit', 'exit after the summary instead of serving until Ctrl-C')
    .option('--fresh', 'discard what an earlier demo left')
    .option('--seed <n>', 'seed of the runs', naturalNumber, 7)
    .option(
      '--steps <n>',
      'optimizer steps of each run; fewer show the loop, but little learning',
      naturalNumber,
      stepsDefault,
    )
    .addHelpText('after', example('npm start', 'npm start -- --exit --seed 3'))
    .action(async (options: GlobalOptions & { exit?: boolean; fresh?: boolean; seed: number; steps: number }) => {
      const config = configOf(context, options)
      let finished = false
      const code = await runUntilSignal(async (started, signal, fail) => {
        await startDemo({
          ...options,
          started,
          context,
          dataFolder: config.dataFolder,
          metrics: config.metrics,
          signal,
          fail,
        })
        finished = true
        if (options.exit === true) process.kill(process.pid, 'SIGTERM')
        else
          context.stderr.write(
            "serving until Ctrl-C; try 'npx winnow status', 'npx winnow tail run.NAME.console-state', 'npx winnow explain ID' in another terminal\n",
          )
      })
      context.exitCode(code === 0 && !finished ? exitCodes.interrupted : code)
    })
