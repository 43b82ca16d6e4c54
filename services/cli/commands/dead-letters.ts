import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { type LetterFilter, readDeadLetters, type StoredLetter } from '../../runs/dead-letters/read.ts'
import { redrive } from '../../runs/dead-letters/redrive.ts'
import { exitCodes, WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { table } from '../../terminal/table.ts'
import {
  type CliContext,
  clusterCommand,
  example,
  type GlobalOptions,
  naturalNumber,
  print,
  widthOf,
} from '../context.ts'
import { summaries } from '../summaries.ts'

interface FilterOptions extends GlobalOptions {
  readonly station?: string
  readonly reason?: string
  readonly topic?: string
  readonly json?: boolean
}

interface RedriveOptions extends FilterOptions {
  readonly all?: boolean
  readonly value?: string
}

const filterCommand = (name: string, description: string): Command =>
  clusterCommand(name, description)
    .option('--station <name>', 'rejected by this station')
    .option('--reason <code>', 'rejected for this reason')
    .option('--topic <name>', 'rejected from this topic')
    .option('--json', 'as JSON lines')

const filterOf = ({ station, reason, topic }: FilterOptions, offsets?: readonly number[]): LetterFilter => ({
  ...(offsets !== undefined && offsets.length > 0 && { offsets }),
  ...(station !== undefined && { station }),
  ...(reason !== undefined && { reason }),
  ...(topic !== undefined && { topic }),
})

export function deadLetters(context: CliContext): Command {
  const command = new Command('dead-letters').description(summaries['dead-letters'])
  command.addCommand(
    filterCommand('list', 'rejected records and rows, oldest first; --json includes their bytes')
      .addHelpText('after', example('winnow dead-letters list --reason unknown-domain'))
      .action(async (options: FilterOptions) => {
        await using connection = await context.connect(options)
        const { runtime } = connection
        const rows: string[][] = []
        for await (const stored of readDeadLetters(runtime, filterOf(options))) {
          if (options.json) await print(context.stdout, `${json({ number: stored.offset, ...stored.letter })}\n`)
          else rows.push(rowOf(stored))
        }
        if (options.json) return
        const columns = [
          { title: 'number', number: true },
          { title: 'station' },
          { title: 'reason' },
          { title: 'where' },
          { title: 'what' },
        ]
        const shown =
          rows.length === 0 ? 'nothing was rejected' : table(columns, rows, { width: widthOf(context.stdout) })
        await print(context.stdout, `${shown}\n`)
      }),
  )
  command.addCommand(
    filterCommand('redrive', 'sends rejected records to their topics again; those still invalid are rejected again')
      .argument('[numbers...]', 'numbers of dead letters, as list shows them', numbers)
      .option('--all', 'all of them, or all that match the other options')
      .option('--value <file>', 'send the bytes of this file instead of those of the record')
      .addHelpText(
        'after',
        example('winnow dead-letters redrive --reason unknown-domain', 'winnow dead-letters redrive 17'),
      )
      .action(async (offsets: readonly number[], options: RedriveOptions) => {
        const filter = chosen(options, offsets)
        const mended = options.value === undefined ? undefined : await bytesOf(options.value)
        await using connection = await context.connect(options)
        const { runtime } = connection
        const done = await redrive(runtime, readDeadLetters(runtime, filter), mended)
        if (done.length === 0) context.stderr.write('no dead letter matches\n')
        for (const one of done) {
          const what = 'refused' in one ? `not sent: ${one.refused}` : `${one.topic}[${one.partition}]@${one.offsetNew}`
          await print(context.stdout, options.json ? `${json(one)}\n` : `${one.offset}\t${what}\n`)
        }
        if (done.some((one) => 'refused' in one)) context.exitCode(exitCodes.badData)
      }),
  )
  return command
}

/** The letters to redrive. @throws WinnowError USAGE if the options select none, or --value is given for several */
function chosen(options: RedriveOptions, offsets: readonly number[]): LetterFilter {
  const filter = filterOf(options, offsets)
  if (Object.keys(filter).length === 0 && options.all !== true) {
    throw new WinnowError('USAGE', 'no dead letters are selected', {
      hint: 'Give numbers, --station, --reason or --topic, or --all.',
    })
  }
  if (options.value !== undefined && offsets.length !== 1) {
    throw new WinnowError('USAGE', '--value is for one record', { hint: 'Give the number of that dead letter.' })
  }
  return filter
}

/** Commander gives no list if no number is given. */
const numbers = (text: string, before: readonly number[] = []): readonly number[] => [...before, naturalNumber(text)]

const rowOf = ({ offset, letter }: StoredLetter): string[] => [
  `${offset}`,
  letter.station,
  letter.reason,
  letter.origin,
  letter.message.replaceAll(/\s+/g, ' '),
]

async function bytesOf(file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (cause) {
    throw new WinnowError('USAGE', `${file} cannot be read`, { hint: 'Give a file with the bytes to be sent.', cause })
  }
}
