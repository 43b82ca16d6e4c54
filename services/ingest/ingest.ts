import { Source, topics } from '../../schemas/index.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Codec, DecodeError } from '../runtime/codec.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { Kafka } from '../runtime/kafka/port.ts'
import type { Log } from '../runtime/log.ts'
import { shownPlace } from '../runtime/stores/place.ts'
import type { Texts } from '../texts/texts.ts'
import { sourceNumberMax } from './document-id.ts'
import { Stopped, untilAborted } from './input.ts'
import { type LeftOut, leftOutOf, leftOutText } from './left-out.ts'
import { defaultLimits, type IngestLimits } from './limits.ts'
import { type Plan, planSources, type ToPass } from './plan.ts'
import type { IngestProgress } from './progress.ts'
import { type ReadSourceOptions, readSource } from './read-source.ts'
import { type IngestResult, type SourceResult, summary } from './result.ts'
import { findSources, type NameOptions, type SourceFile } from './source-files.ts'
import type { TextFields } from './text-field.ts'
import { createTokenCounter, defaultTokenCounting, type TokenCounting } from './token-counter.ts'
import { SourceWriter } from './writer.ts'

/** One ingest writes at a time: a second one with this id fences the first. */
export const ingestTransactions = 'winnow-ingest'

export type IngestCodec = Pick<Codec, 'encode' | 'decodeAs'>

export interface IngestOptions extends TextFields {
  /** Files, folders and `-` for standard input. */
  readonly paths: readonly string[]
  readonly kafka: Kafka
  readonly codec: IngestCodec
  readonly log: Log
  readonly clock: Clock
  readonly progress: IngestProgress
  readonly nameOptions?: NameOptions
  readonly tokens?: TokenCounting
  /** When aborted, the current batch is written; the next start continues after it. */
  readonly signal?: AbortSignal
  readonly standardInput?: AsyncIterable<Buffer>
  readonly limits?: Partial<IngestLimits>
  /** Rows with more bytes of text than this become several documents; default: never split. */
  readonly pieceBytes?: number | undefined
  /** The share of documents that get a trace context; default: none. */
  readonly traceRatio?: number | undefined
  /** How texts are encrypted; left out, or without master keys: they stay as they are. */
  readonly texts?: Pick<Texts, 'sealing'> | undefined
}

/**
 * Writes the rows of the sources as documents, each exactly once, however an earlier ingest of them ended.
 * @throws WinnowError CONFIGURATION, before anything is written, for paths or contents that cannot be ingested under their names
 */
export async function ingest(options: IngestOptions): Promise<IngestResult> {
  const { kafka, codec, log, clock, progress, signal } = options
  const startedMs = clock()
  const given = options.standardInput ?? process.stdin
  const standardInput = signal === undefined ? given : untilAborted(given, signal)
  const { traceRatio } = options
  const sealing = options.texts?.sealing
  const limits: IngestLimits = {
    ...defaultLimits,
    documentBytesMax: await kafka.messageBytesMax(topics.documents.name),
    letterBytesMax: await kafka.messageBytesMax(topics.deadLetters.name),
    pieceBytes: options.pieceBytes,
    ...options.limits,
    ...(traceRatio !== undefined && { traceRatio }),
  }
  const found = await findSources(options.paths, options.nameOptions)
  const countTokens = await createTokenCounter(options.tokens ?? defaultTokenCounting)
  const producer = await kafka.producer({ transactionalId: ingestTransactions })
  const writer = new SourceWriter(producer, codec, countTokens, sealing)
  try {
    // An empty transaction: it fences an ingest that is still alive and ends what it left open, so that what is read next stays true.
    await producer.transaction(async () => {})
    await sealing?.begin()
    const known = await readSources(kafka, codec)
    const { plans, descriptions } = await planSources(found.sources, {
      known,
      standardInput,
      limits,
      textFields: options,
    })
    const leftOut = await leftOutOf(found.leftOut, descriptions)
    if (plans.length === 0) throw nothingToRead(options.paths, leftOut)
    const numberNext = known.values().reduce((next, { source }) => Math.max(next, source + 1), 0)
    const reading = { writer, limits, progress, ...(signal && { signal }) }
    const results = await readAll(plans, numberNext, reading, log)
    await writer.settled()
    const result = summary(results, leftOut)
    log.info({ ...result, sources: results.length, durationMs: clock() - startedMs }, 'ingest ended')
    return result
  } catch (error) {
    if (!(error instanceof Stopped)) throw error
    return { ...summary([]), stopped: true }
  } finally {
    progress.end()
    // After an error elsewhere the pending transaction still completes; its own error has been thrown above.
    await writer.settled().catch(() => {})
    await producer.close()
  }
}

/** Reads the sources one after the other; new ones are numbered from `numberFirst`. */
async function readAll(
  plans: readonly Plan[],
  numberFirst: number,
  options: ReadSourceOptions,
  log: Log,
): Promise<SourceResult[]> {
  const lengths = plans.flatMap(({ action, source }) => (action === 'read' ? [lengthOf(source)] : []))
  options.progress.begin(lengths)
  let numberNext = numberFirst
  const results: SourceResult[] = []
  for (const plan of plans) {
    const number = plan.known?.source ?? numberNext
    if (number > sourceNumberMax)
      throw new WinnowError('CONFIGURATION', 'there are 2^24 sources already, and ids have no room for more')
    const result = plan.action === 'read' ? await readSource(plan, number, options) : passed(plan)
    if (result.source === numberNext) numberNext++
    results.push(result)
    log.debug(result, 'source')
  }
  return results
}

const lengthOf = (source: SourceFile) => (source.kind === 'file' ? source.byteLength : null)

function passed({ source, known, outcome, why }: ToPass): SourceResult {
  return {
    name: source.name,
    source: known?.source ?? null,
    outcome,
    documents: 0,
    rejected: 0,
    documentsTotal: known?.documents ?? 0,
    reasons: {},
    fields: [],
    why,
  }
}

const nothingToRead = (paths: readonly string[], leftOut: readonly LeftOut[]) =>
  new WinnowError(
    'CONFIGURATION',
    `no .jsonl, .ndjson, .json (plain, .gz or .zst) or .parquet file of rows in ${paths.map(shownPlace).join(', ')}${leftOut.length === 0 ? '' : `; ${leftOutText(leftOut).trimEnd()}`}`,
    { hint: 'give a file by its own path if it has another name' },
  )

/** The last record of each source. */
async function readSources(kafka: Kafka, codec: IngestCodec): Promise<Map<string, Source>> {
  const sources = new Map<string, Source>()
  for await (const records of kafka.read(topics.sources.name)) {
    for (const { topic, partition, offset, value } of records) {
      if (value === null) continue
      try {
        const source = await codec.decodeAs(Source, value)
        sources.set(source.name, source)
      } catch (cause) {
        if (!(cause instanceof DecodeError)) throw cause
        throw new WinnowError('BAD_DATA', `${topic}[${partition}]@${offset} is no source: ${cause.message}`, {
          hint: 'without it, it is not known which rows have been ingested: fix or replace the record',
          cause,
        })
      }
    }
  }
  return sources
}
