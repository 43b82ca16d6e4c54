import { type Command, InvalidArgumentError } from 'commander'
import type { Config } from '../../config/config.ts'
import type { Runtime } from '../../connections/connections.ts'
import { ingestCommand } from '../../ingest/command.ts'
import { checkPaths } from '../../ingest/paths.ts'
import { onlyFolder, settleSecondsDefault, watchCommand } from '../../ingest/watch/command.ts'
import { type LabelProgress, waitForLabels } from '../../runs/label-progress.ts'
import { systemClock } from '../../runtime/clock.ts'
import { exitCodes, WinnowError } from '../../runtime/errors.ts'
import { interruptible } from '../../runtime/lifecycle.ts'
import type { Terminal } from '../../terminal/progress.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions } from '../context.ts'
import { summaries } from '../summaries.ts'

interface Options extends GlobalOptions {
  readonly name?: string
  readonly tokens?: string
  readonly textField?: string
  readonly splitLong?: boolean
  readonly followLinks?: readonly string[]
  readonly json?: boolean
  readonly wait: boolean
  readonly watch?: boolean
  readonly settle?: number
  readonly poll?: boolean
}

function seconds(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value <= 86_400)) throw new InvalidArgumentError('must be above 0 and at most a day')
  return value
}

export const ingest = (context: CliContext): Command =>
  clusterCommand('ingest', summaries.ingest)
    .argument('<path...>', 'files and folders')
    .option('--name <prefix>', 'prefix of the names of the sources')
    .option('--tokens <how>', 'bytes:N or tokenizer:FILE (default: bytes:4)')
    .option(
      '--text-field <name>',
      'the field with the text; a.b for b within a (default: corpus.textFields, corpus.textField, text)',
    )
    .option(
      '--split-long',
      'split long texts at paragraphs into several documents (corpus.longDocuments, corpus.pieceBytes)',
    )
    .option(
      '--follow-links <root>',
      'a folder that links in the given folders may lead into; may be repeated',
      (root: string, roots: readonly string[] = []) => [...roots, root],
    )
    .option('--no-wait', 'exit once the documents are written, without waiting for their labels')
    .option('--json', 'the result as JSON; with --watch a line per file')
    .option(
      '--watch',
      'keep ingesting files that are added to or change in one folder, until Ctrl-C, which exits with 0',
    )
    .option(
      '--settle <seconds>',
      `with --watch: ingest a file once it has not changed for this long (default: ${settleSecondsDefault})`,
      seconds,
    )
    .option(
      '--poll',
      'with --watch: check every second instead of relying on notifications, as network file systems require',
    )
    .addHelpText(
      'after',
      example(
        'winnow ingest corpus/*.jsonl.gz',
        'zcat part.gz | winnow ingest --name part -',
        'xz -dc part.jsonl.xz | winnow ingest --name part -',
        'winnow ingest --text-field raw_content redpajama-v2',
        'winnow ingest s3://corpus/2026/',
        'winnow ingest --watch incoming',
      ),
    )
    .action(async (paths: string[], options: Options) => {
      if (options.watch !== true && (options.settle !== undefined || options.poll === true)) {
        throw new WinnowError('USAGE', '--settle and --poll require --watch')
      }
      const folder = options.watch === true ? await onlyFolder(paths) : null
      // A bad path is reported before a cluster is started for it.
      await checkPaths([...paths, ...(options.followLinks ?? [])])
      const stop = new AbortController()
      using _interrupted = interruptible(process, () => {
        context.stderr.write('\nstopping after the current batch; Ctrl-C again stops at once\n')
        stop.abort()
      })
      // A service that this process started beside the ingest has failed.
      let failure: unknown
      const fail = (error: unknown) => {
        failure ??= error
        stop.abort()
      }
      await using connection = await context.connectOrStart(options, fail)
      const { config, runtime } = connection
      runtime.metrics?.readiness.serveUntil(stop.signal)
      const { bytesPerToken, textField: textFieldDefault, textFields, longDocuments, rowGroupBytesMax } = config.corpus
      const split = options.splitLong === true || longDocuments === 'split'
      const pieceBytes = split ? config.corpus.pieceBytes : undefined
      const fields = { textFieldDefault, textFields }
      const flags = { ...fields, tokens: `bytes:${bytesPerToken}`, pieceBytes, rowGroupBytesMax, ...options }
      const { stdin, stdout, stderr } = context
      const ingestContext = { ...runtime, clock: systemClock, signal: stop.signal, stdin, stdout, stderr }
      if (folder !== null) {
        await watchCommand(folder, flags, ingestContext)
      } else {
        const code = await ingestCommand(paths, flags, ingestContext)
        const waited = options.wait && !stop.signal.aborted
        if (waited) await waitAndTell(runtime, config, stop.signal, stderr)
        context.exitCode(waited && stop.signal.aborted ? exitCodes.interrupted : code)
      }
      if (failure !== undefined) throw failure
    })

/** @throws WinnowError UNREACHABLE if labels have stopped arriving */
async function waitAndTell(runtime: Runtime, config: Config, signal: AbortSignal, terminal: Terminal): Promise<void> {
  const labels = await waitForLabels(runtime, config, {
    ...{ signal, terminal },
    onMissing: (sentence) => terminal.write(`waiting for labels: ${sentence}; or ingest with --no-wait\n`),
  })
  terminal.write(`${inWords(labels)}\n`)
  if (labels.done || signal.aborted) return
  throw new WinnowError('UNREACHABLE', 'the documents are written, but their labels have stopped arriving', {
    hint: "Run labelers and label sink with 'winnow up' ('winnow dev' on this machine), or 'winnow run labeler --actor NAME' and 'winnow run label-sink'.",
  })
}

const inWords = ({ documents, complete, refused }: LabelProgress): string =>
  `${complete} of ${documents} documents are labelled by every actor${refused === 0 ? '' : `, ${refused} were rejected (winnow tail dead-letters)`}`
