import { setTimeout as sleep } from 'node:timers/promises'
import { type DeadLetter, topics } from '../../schemas/index.ts'
import { columnNames } from '../corpus/columns.ts'
import { createLabeler } from '../labeler/labeler.ts'
import type { Config } from '../runtime/config.ts'
import { readTopic } from './recorded.ts'
import type { Runtime } from './runtime.ts'

export interface LabelProgress {
  readonly documents: number
  /** Documents with a label of every actor. */
  readonly complete: number
  /** Documents that a labeler refused: they are in dead letters. */
  readonly refused: number
}

interface WaitOptions {
  readonly signal?: AbortSignal
  readonly terminal?: { readonly isTTY?: boolean; write(text: string): unknown }
  readonly onProgress?: (progress: LabelProgress) => void
}

const pollMs = 500
/** A labeler that makes no progress for so long is down or gone: waiting longer helps nobody. */
const pollsWithoutProgressMax = 120

/** Waits until every document in the topic is labelled by every actor and in ClickHouse, or refused. */
export async function waitForLabels(
  runtime: Runtime,
  config: Config,
  options: WaitOptions = {},
): Promise<LabelProgress> {
  const versions = await labelerVersions(config)
  const wanted = (await runtime.kafka.endOffsets(topics.documents.name)).reduce((sum, offset) => sum + offset, 0)
  let before = ''
  for (let polls = 0; polls < pollsWithoutProgressMax && options.signal?.aborted !== true; polls++) {
    const progress = await labelProgress(runtime, versions)
    options.onProgress?.(progress)
    const text = JSON.stringify(progress)
    if (text !== before) polls = 0
    before = text
    if (options.terminal?.isTTY === true)
      options.terminal.write(`\rlabelled ${progress.complete} of ${progress.documents} documents `)
    // Repeats and transaction markers count into offsets but not into documents, so `wanted` is only a bound from above.
    const done = progress.documents > 0 && progress.complete + progress.refused >= progress.documents
    const sinkCaughtUp = progress.documents >= wanted || polls > 2
    if ((done && sinkCaughtUp) || wanted === 0) {
      if (options.terminal?.isTTY === true) options.terminal.write('\n')
      return progress
    }
    await sleep(pollMs, undefined, options.signal === undefined ? {} : { signal: options.signal }).catch(() => {})
  }
  return await labelProgress(runtime, versions)
}

/** The versions of the configured labelers, by actor: which labels a run of this configuration uses. */
export async function labelerVersions(config: Config): Promise<Map<string, string>> {
  const versions = new Map<string, string>()
  for (const actor of config.actors) {
    const labeler = await createLabeler(actor, actor.labeler, config.baseFolder)
    versions.set(actor.name, labeler.version)
    await labeler.close()
  }
  return versions
}

export async function labelProgress(runtime: Runtime, versions: ReadonlyMap<string, string>): Promise<LabelProgress> {
  for (const [actor, version] of versions) await runtime.store.ensureColumns(actor, version)
  const labelled = [...versions].map(([actor, version]) => `isNotNull(${columnNames({ actor, version }).label})`)
  const [row] = await runtime.clickHouse.sql.query<{ documents: string; complete: string }>(
    `SELECT countIf(isNotNull(at_document)) AS documents, countIf(isNotNull(at_document) AND ${labelled.join(' AND ')}) AS complete FROM corpus FINAL`,
  )
  const documents = Number(row!.documents)
  const complete = Number(row!.complete)
  if (complete === documents) return { documents, complete, refused: 0 }
  const letters = (await readTopic(runtime, topics.deadLetters.name)).map(({ value }) => value as DeadLetter)
  const refused = new Set(
    letters.filter(({ station }) => station.startsWith('labeler ')).map(({ key }) => key?.toString()),
  )
  return { documents, complete, refused: refused.size }
}
