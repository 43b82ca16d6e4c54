import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { Command } from 'commander'
import { deduplicate as deduplicateFiles } from '../../ingest/duplicates/command.ts'
import { json } from '../../runtime/json.ts'
import { alwaysJson, type CliContext, example, positiveShare, print } from '../context.ts'
import { summaries } from '../summaries.ts'
import { configDescription, textFieldsFor, withTextField } from './labeler-options.ts'

interface Options {
  readonly near?: number | true
  readonly exclusions?: string
  readonly textField?: string
  readonly config?: string
}

/** Rows that are left out are discarded if no file is given for them. */
async function openExclusions(file: string | undefined) {
  if (file === undefined) return { write: async () => {}, close: async () => {} }
  const stream = createWriteStream(file)
  await once(stream, 'open')
  return {
    write: async (bytes: Uint8Array) => {
      if (!stream.write(bytes)) await once(stream, 'drain')
    },
    close: async () => {
      stream.end()
      await finished(stream)
    },
  }
}

export const deduplicate = (context: CliContext): Command =>
  withTextField(alwaysJson(new Command('deduplicate')))
    .description(summaries.deduplicate)
    .argument('<file...>', 'anything ingest reads: JSON lines, plain, gzip or Zstandard; Parquet; - for standard input')
    .option('--config <file>', configDescription)
    .option('--near [similarity]', 'also near duplicates, of at least this Jaccard similarity (0.8)', positiveShare)
    .option(
      '--exclusions <file>',
      'receives the rows that are left out, each with the reason and the row it duplicates',
    )
    .addHelpText(
      'after',
      example('winnow deduplicate --near --exclusions out.jsonl corpus/*.jsonl.gz | winnow ingest --name unique -'),
    )
    .action(async (files: string[], options: Options) => {
      const nearSimilarity = options.near === true ? 0.8 : options.near
      const exclusions = await openExclusions(options.exclusions)
      const { counts, failure } = await deduplicateFiles(
        files,
        {
          nearSimilarity,
          standardInput: context.stdin,
          ...textFieldsFor(context, options),
        },
        (bytes) => print(context.stdout, bytes),
        exclusions.write,
      ).finally(exclusions.close)
      context.stderr.write(`${json(counts)}\n`)
      if (failure !== undefined) throw failure
    })
