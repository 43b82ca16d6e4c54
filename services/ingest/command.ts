import type { Clock } from '../runtime/clock.ts'
import { exitCodes, WinnowError } from '../runtime/errors.ts'
import type { Kafka } from '../runtime/kafka/port.ts'
import type { Log } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics/metrics.ts'
import { type IngestCodec, type IngestOptions, ingest } from './ingest.ts'
import { leftOutText } from './left-out.ts'
import { defaultLimits, type IngestLimits } from './limits.ts'
import { metered } from './metered.ts'
import { createProgress, type Terminal } from './progress.ts'
import type { IngestResult } from './result.ts'
import { sentenceOf, warningOf } from './sentences.ts'
import type { TextFields } from './text-field.ts'
import { defaultTokenCounting, type TokenCounting } from './token-counter.ts'

export interface IngestFlags extends TextFields {
  /** Prefix of the sources' names. */
  readonly name?: string
  /** `bytes:N` or `tokenizer:FILE`. */
  readonly tokens?: string
  /** Folders that links may lead into. */
  readonly followLinks?: readonly string[]
  /** Rows with more bytes of text than this become several documents; default: never split. */
  readonly pieceBytes?: number | undefined
  /** Bytes of a Parquet row group that are unpacked at a time. */
  readonly rowGroupBytesMax?: number | undefined
  readonly json?: boolean
}

export interface IngestContext {
  readonly kafka: Kafka
  readonly codec: IngestCodec
  readonly log: Log
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly stdin: AsyncIterable<Buffer>
  readonly stdout: { write(text: string): unknown }
  readonly stderr: Terminal
  readonly metrics?: Metrics | undefined
  readonly traceRatio?: number | undefined
  readonly texts?: IngestOptions['texts']
}

/**
 * `winnow ingest PATH...`: progress on stderr, the result on stdout.
 * @returns the exit code: 0; 5 if a source breaks off, has different content than before, or has no good row; 130 if it was stopped
 */
export async function ingestCommand(
  paths: readonly string[],
  flags: IngestFlags,
  context: IngestContext,
): Promise<number> {
  const { kafka, codec, log, clock, signal, stdin, stdout, stderr } = context
  if (paths.length === 0) {
    throw new WinnowError('USAGE', 'ingest needs a file, a folder, or - for standard input', {
      hint: 'winnow ingest corpus/*.jsonl.gz',
    })
  }
  const result = await ingest({
    paths,
    kafka,
    codec,
    log,
    clock,
    signal,
    tokens: parseTokenCounting(flags.tokens),
    progress: metered(createProgress(stderr, clock), context.metrics),
    standardInput: stdin,
    traceRatio: context.traceRatio,
    texts: context.texts,
    pieceBytes: flags.pieceBytes,
    limits: limitsOf(flags),
    nameOptions: nameOptionsOf(flags),
    ...textFieldsOf(flags),
  })
  stdout.write(flags.json ? `${JSON.stringify(result)}\n` : describe(result))
  stderr.write(leftOutText(result.leftOut))
  for (const source of result.sources) stderr.write(warningOf(source))
  if (result.failed > 0) return exitCodes.badData
  return result.stopped ? exitCodes.interrupted : exitCodes.ok
}

export const textFieldsOf = ({ textField, textFields, textFieldDefault }: IngestFlags): TextFields => ({
  ...(textField !== undefined && { textField }),
  ...(textFields !== undefined && { textFields }),
  ...(textFieldDefault !== undefined && { textFieldDefault }),
})

export const nameOptionsOf = ({ name, followLinks }: IngestFlags) => ({
  ...(name !== undefined && { prefix: name }),
  ...(followLinks !== undefined && { followLinks }),
})

/** Unpacked values take several times their bytes in memory. */
export const limitsOf = ({ rowGroupBytesMax }: IngestFlags): Partial<IngestLimits> =>
  rowGroupBytesMax === undefined
    ? {}
    : { rowGroupBytesMax, rowGroupMemoryMax: Math.max(defaultLimits.rowGroupMemoryMax, 4 * rowGroupBytesMax) }

/** @throws WinnowError USAGE for anything but `bytes:N` and `tokenizer:FILE` */
export function parseTokenCounting(text: string | undefined): TokenCounting {
  if (text === undefined) return defaultTokenCounting
  const [kind, ...rest] = text.split(':')
  const value = rest.join(':')
  if (kind === 'bytes' && Number(value) > 0) return { kind, perToken: Number(value) }
  if (kind === 'tokenizer' && value !== '') return { kind, path: value }
  throw new WinnowError('USAGE', `--tokens ${text}: expected bytes:N or tokenizer:FILE`, {
    hint: 'for example bytes:4',
  })
}

function describe({ sources, documents, rejected, skipped }: IngestResult): string {
  const lines = sources.map(sentenceOf)
  lines.push(
    `${documents} documents written, ${rejected} rows rejected, ${skipped} of ${sources.length} sources skipped`,
  )
  return `${lines.join('\n')}\n`
}
