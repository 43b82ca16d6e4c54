import type { Command } from 'commander'
import { roundsToFit } from '../../runs/mates/follow.ts'
import { runNamed } from '../../runs/registry.ts'
import { exitCodes, WinnowError } from '../../runtime/errors.ts'
import { interruptible, printError } from '../../runtime/lifecycle.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions } from '../context.ts'
import { fitRound } from './mates-fit.ts'
import { roundsOption } from './mates-options.ts'

interface Options extends GlobalOptions {
  readonly rounds: number
  readonly json?: boolean
}

export const following = (context: CliContext): Command =>
  clusterCommand('follow', 'fits each round of a live run as it closes, until the run is done')
    .argument('<run>', 'the run whose rewards count, and that selects by the predictions')
    .addOption(roundsOption())
    .option('--json', 'a JSON line for each stage')
    .addHelpText('after', example('winnow mates follow first'))
    .action(async (name: string, options: Options) => {
      await using connection = await context.connect(options)
      const run = await runNamed(connection.runtime, name)
      using interrupted = interruptible(process)
      const { signal } = interrupted
      for await (const round of roundsToFit(connection.runtime, name, signal)) {
        try {
          await fitRound(context, connection, run, { ...options, round })
        } catch (error) {
          // Nothing can be learned from these rewards: the next ones may say more.
          if (!(error instanceof WinnowError) || error.exitCode !== exitCodes.badData) throw error
          printError(error, context)
        }
      }
      if (signal.aborted) context.exitCode(exitCodes.interrupted)
    })
