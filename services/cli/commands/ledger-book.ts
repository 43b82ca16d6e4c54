import { type Command, InvalidArgumentError, Option } from 'commander'
import { type WorkPurpose, workPurposes } from '../../../schemas/index.ts'
import { forward, forwardAndBackward } from '../../../topologies/ledger/pieces.ts'
import { bookOutsideWork } from '../../runs/book-work.ts'
import { runNamed } from '../../runs/registry.ts'
import { json } from '../../runtime/json.ts'
import { formatFlops } from '../../terminal/table.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, naturalNumber, print } from '../context.ts'

interface Options extends GlobalOptions {
  readonly run?: string
  readonly purpose: WorkPurpose
  readonly of?: string
  readonly model: string
  readonly parameters: number
  readonly allParameters?: number
  readonly tokens: number
  readonly documents: number
  readonly factor?: number
  readonly flops?: number
  readonly seconds: number
  readonly device: string
  readonly json?: boolean
}

/** Passes forward alone; everything else that is booked trains something. */
const forwardOnly: readonly WorkPurpose[] = ['labels', 'annotation', 'evaluation']

export const book = (context: CliContext): Command =>
  clusterCommand('book', 'books work that was done elsewhere: annotation, proxies, fits, a trainer of your own')
    .argument('<name>', 'identifies it: the same again replaces it')
    .addOption(new Option('--purpose <what>', 'what it was').choices(workPurposes).makeOptionMandatory())
    .requiredOption('--model <name>', 'which model')
    .requiredOption('--parameters <count>', 'those that multiply: without embedding tables', amount)
    .option('--all-parameters <count>', 'all of them, as Table 6 counts (default: the same)', amount)
    .requiredOption('--tokens <count>', 'tokens that it read', amount)
    .option('--documents <count>', 'documents or samples', naturalNumber, 0)
    .option(
      '--factor <number>',
      'FLOPs per parameter and token (default: 2 for labels, annotation, evaluation; else 6)',
      positive,
    )
    .option('--flops <number>', 'FLOPs, if they are not factor * parameters * tokens', positive)
    .option('--seconds <number>', 'how long it took', positive, 0)
    .option('--device <name>', 'what it ran on', 'unknown')
    .option('--of <text>', 'what of it (default: its name)')
    .option('--run <run>', 'for this run (default: for all runs)')
    .option('--json', 'what was booked, as JSON')
    .addHelpText(
      'after',
      example(
        'winnow ledger book proxies-domain --purpose proxies --model TinyLlama-1M --parameters 14.2e6 --tokens 537.6e9',
      ),
    )
    .action(async (name: string, options: Options) => {
      const { purpose, model, parameters, tokens, documents, seconds, device, flops } = options
      const { factor = forwardOnly.includes(purpose) ? forward : forwardAndBackward } = options
      await using connection = await context.connect(options)
      const { runtime } = connection
      const run = options.run === undefined ? null : (await runNamed(runtime, options.run)).name
      const booked = await bookOutsideWork(runtime, {
        ...{ name, run, purpose, subject: options.of ?? name, model, device, parameters, tokens, documents, seconds },
        ...{ parametersAll: options.allParameters ?? parameters, factor, flops },
      })
      await print(context.stdout, options.json ? `${json(booked)}\n` : `${name}: ${formatFlops(booked.flops)} FLOPs\n`)
    })

function positive(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('must be a number, 0 or more')
  return value
}

/** A whole number, also as 1.05e9. */
function amount(text: string): number {
  const value = positive(text)
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('must be a whole number, for example 1.05e9')
  return value
}
