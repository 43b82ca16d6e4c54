import { Command } from 'commander'
import { interruptible } from '../../runtime/lifecycle.ts'
import { simulateCommand } from '../../simulate/command.ts'
import type { SimulateOptions } from '../../simulate/simulate.ts'
import { type CliContext, example } from '../context.ts'
import { summaries } from '../summaries.ts'

export const simulate = (context: CliContext): Command =>
  new Command('simulate')
    .description(summaries.simulate)
    .requiredOption('--labels <file>', 'documents with tokens and labels, JSON lines or anything ingest reads')
    .requiredOption('--rewards <file>', 'rewards in log order, JSON lines or anything ingest reads')
    .requiredOption('--config <file>', 'seed, actors and hyperparameters, JSON')
    .requiredOption('--out <folder>', 'receives rounds.jsonl, rejected.jsonl and selection-K.txt')
    .option('--positions <file>', 'how far the trainer read each selection, JSON lines')
    .option('--json', 'the result as JSON')
    .addHelpText('after', example('winnow simulate --labels L.jsonl --rewards R.jsonl --config C.json --out result'))
    .action(async (options: Omit<SimulateOptions, 'signal'> & { json?: boolean }) => {
      using interrupted = interruptible()
      await simulateCommand({ ...options, signal: interrupted.signal }, context)
    })
