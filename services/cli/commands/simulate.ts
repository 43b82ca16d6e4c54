import { Command } from 'commander'
import { runInput } from '../../archive/simulation-input.ts'
import { runNamed } from '../../runs/registry.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { interruptible } from '../../runtime/lifecycle.ts'
import { simulateCommand, tellSimulation } from '../../simulate/command.ts'
import { readSelectionConfig } from '../../simulate/config-file.ts'
import { simulateOn } from '../../simulate/simulate.ts'
import { type CliContext, example } from '../context.ts'
import { archivePrefix, RunSources } from '../run-sources.ts'
import { summaries } from '../summaries.ts'

interface Options {
  readonly run?: string
  readonly labels?: string
  readonly rewards?: string
  readonly config?: string
  readonly positions?: string
  readonly out: string
  readonly json?: boolean
}

export const simulate = (context: CliContext): Command =>
  new Command('simulate')
    .description(summaries.simulate)
    .option('--labels <file>', 'documents with tokens and labels, JSON lines or anything ingest reads')
    .option('--rewards <file>', 'rewards in log order, JSON lines or anything ingest reads')
    .option('--config <file>', 'seed, actors and hyperparameters, JSON; with --run the default is what the run had')
    .requiredOption('--out <folder>', 'receives rounds.jsonl, rejected.jsonl and selection-K.txt')
    .option('--positions <file>', 'how far the trainer read each selection, JSON lines')
    .option(
      '--run <archive>',
      `${archivePrefix}FOLDER: documents, rewards and positions of a run that winnow export wrote`,
    )
    .option('--json', 'the result as JSON')
    .addHelpText(
      'after',
      example(
        'winnow simulate --labels L.jsonl --rewards R.jsonl --config C.json --out result',
        'winnow simulate --run archive:multi-actor-7.archive --out result',
      ),
    )
    .action(async ({ run, labels, rewards, positions, config, ...options }: Options) => {
      using interrupted = interruptible()
      const { signal } = interrupted
      if (run === undefined) {
        if (labels === undefined || rewards === undefined || config === undefined)
          throw new WinnowError('USAGE', 'simulate needs --labels, --rewards and --config, or --run', {
            hint: `--run ${archivePrefix}FOLDER takes all of them from an archive.`,
          })
        return await simulateCommand({ ...options, labels, rewards, positions, config, signal }, context)
      }
      if ([labels, rewards, positions].some((one) => one !== undefined))
        throw new WinnowError('USAGE', '--run stands for --labels, --rewards and --positions', {
          hint: 'Name the archive or the files, not both.',
        })
      if (!run.startsWith(archivePrefix))
        throw new WinnowError('USAGE', `--run ${run}: simulate asks no cluster`, {
          hint: `winnow export ${run} --out ${run}.archive, then --run ${archivePrefix}${run}.archive`,
        })
      await using sources = new RunSources(context, {})
      const source = await sources.open(run)
      const recorded = await runNamed(source.runtime, source.run)
      const selection = config === undefined ? recorded.selection : readSelectionConfig(config)
      const input = await runInput(source.runtime, recorded, selection)
      await tellSimulation(options, context, (onProgress, log) =>
        simulateOn(selection, () => input, { ...options, onProgress, signal }, log),
      )
    })
