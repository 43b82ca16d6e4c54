import { type Command, Option } from 'commander'
import { configOf } from '../../services/cli/config-of.ts'
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
import { type ReferenceName, referenceNames } from './corpus.ts'
import { startDemo } from './demo.ts'
import { referenceDefault, stepsDefault, type TrainerName, trainerNames } from './runs.ts'

type DemoFlags = GlobalOptions & {
  exit?: boolean
  fresh?: boolean
  seed: number
  steps: number
  reference: ReferenceName
  trainer: TrainerName
  json?: boolean
}

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
    .addOption(
      new Option('--reference <name>', 'what the model is to become good at')
        .choices([...referenceNames])
        .default(referenceDefault),
    )
    .addOption(
      new Option(
        '--trainer <name>',
        'python: train the two runs by PyTorch too, on the same streams, and compare the losses',
      )
        .choices([...trainerNames])
        .default(trainerNames[0]),
    )
    .option('--json', 'write the summary as JSON')
    .addHelpText(
      'after',
      example(
        'npm start',
        'npm start -- --exit --seed 3',
        'npm start -- --reference addresses',
        'npm start -- --trainer python',
      ),
    )
    .action(async (options: DemoFlags) => {
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
