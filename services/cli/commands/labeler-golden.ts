import { Command, InvalidArgumentError } from 'commander'
import { goldenCommand } from '../../labeler/commands/golden.ts'
import { exitCodes } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { type CliContext, example, print } from '../context.ts'
import { type Choice, choose, withLabelerOptions } from './labeler-options.ts'

interface Checked extends Choice {
  readonly write?: boolean
  readonly out?: string
  readonly tolerance?: number
}

function tolerance(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) throw new InvalidArgumentError('must be 0 or more')
  return value
}

export const golden = (context: CliContext): Command =>
  withLabelerOptions(
    new Command('golden').description(
      'checks whether a model gives the same outputs on this machine as where its golden outputs were made',
    ),
  )
    .option('--write', 'write the outputs of this machine beside the model, where labelers look for them at startup')
    .option('--out <file>', 'write the outputs of this machine to a file, to compare with those of another')
    .option('--tolerance <difference>', 'with --write or --out: the largest difference due to rounding', tolerance)
    .addHelpText(
      'after',
      example(
        'winnow labeler golden --actor topic',
        'winnow labeler golden --actor topic --write',
        'winnow labeler golden --actor topic --out here.json',
      ),
    )
    .action(async ({ write, out, tolerance, ...choice }: Checked) => {
      const report = await goldenCommand({
        ...choose(context, choice),
        ...(write !== undefined && { write }),
        ...(out !== undefined && { out }),
        ...(tolerance !== undefined && { tolerance }),
      })
      await print(context.stdout, `${json(report)}\n`)
      const { state } = report.golden
      if (report.written === undefined && (state === 'differs' || state === 'other model'))
        context.exitCode(exitCodes.guarantee)
    })
