import { basename } from 'node:path'
import { Command } from 'commander'
import { checkFiles, linesOfFile } from '../../ingest/lines-of-file.ts'
import { type TextFields, textFieldOf } from '../../ingest/text-field.ts'
import { type LabelLine, labelCommand } from '../../labeler/commands/label.ts'
import { systemClock } from '../../runtime/clock.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { Counter } from '../../terminal/progress.ts'
import { type CliContext, example, print } from '../context.ts'
import { type Choice, choose, textFieldsFor, withLabelerOptions, withTextField } from './labeler-options.ts'

export const label = (context: CliContext): Command =>
  withTextField(
    withLabelerOptions(
      new Command('label').description('labels the rows of standard input, or of files that ingest reads'),
    ),
  )
    .argument('[file...]', 'JSON lines, plain, gzip or Zstandard, or Parquet (default: standard input)')
    .addHelpText(
      'after',
      example(
        'winnow labeler label --actor quality < documents.jsonl > labels.jsonl',
        'winnow labeler label --actor quality documents.parquet > labels.jsonl',
      ),
    )
    .action(async (files: string[], options: Choice) => {
      const paths = files.length === 0 ? ['-'] : files
      await checkFiles(paths, 'label')
      const write = (text: string) => print(context.stdout, text)
      const progress = new Counter(context.stderr, systemClock, { doing: 'labelling', unit: 'lines' })
      const reject = (text: string) => {
        progress.clear()
        return print(context.stderr, text)
      }
      const input = counted(linesOfFiles(paths, context.stdin, textFieldsFor(context, options)), progress)
      const { labelled, rejected, unreadable } = await labelCommand(choose(context, options), input, write, reject)
      progress.clear()
      context.stderr.write(`${labelled} labelled, ${rejected} rejected\n`)
      if (unreadable !== undefined)
        throw new WinnowError('BAD_DATA', `none of the ${rejected} rows has a text: ${unreadable}`, {
          hint: 'Name the field with --text-field if it is not text.',
        })
    })

/** Lines of the files, counted across files. */
async function* linesOfFiles(
  paths: readonly string[],
  standardInput: AsyncIterable<Buffer>,
  fields: TextFields,
): AsyncGenerator<LabelLine> {
  let before = 0
  for (const path of paths) {
    let after = before
    const textField = textFieldOf(path === '-' ? 'stdin' : basename(path), fields)
    for await (const line of linesOfFile(path, { standardInput, receiver: 'label' })) {
      after = before + line.row + 1
      yield { ...line, row: before + line.row, textField }
    }
    before = after
  }
}

/** Passes lines on and counts them. */
async function* counted(lines: AsyncIterable<LabelLine>, progress: Counter): AsyncGenerator<LabelLine> {
  let count = 0
  for await (const line of lines) {
    yield line
    progress.at(++count)
  }
}
