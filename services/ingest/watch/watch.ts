import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../runtime/clock.ts'
import { WinnowError } from '../../runtime/errors.ts'
import type { LeftOutEntry } from '../folder.ts'
import type { IngestResult, SourceResult } from '../result.ts'
import { versionOf, watchFolder } from './folder.ts'
import { Settling } from './settling.ts'

export interface WatchOptions {
  readonly folder: string
  /** A file counts as complete when it has not changed for this long. */
  readonly settleMs: number
  readonly poll: boolean
  /** Folders that links may lead into. */
  readonly followLinks?: readonly string[]
  readonly clock: Clock
  /** When aborted, the current batch is written and watching ends. */
  readonly signal: AbortSignal
  /** Ingests files of the folder, by their names within it. */
  ingest(names: readonly string[]): Promise<IngestResult>
  told(source: SourceResult): void
  /** A file, or a part of the folder, that is left out. */
  refused(name: string, error: Error): void
  /** What in the folder is not ingested, each file once; those that come at the same time together. */
  leftOut(entries: readonly LeftOutEntry[]): void
}

/** Often enough that a file waits little longer than it must, rarely enough to cost nothing. */
const tickMsOf = (settleMs: number) => Math.min(Math.max(settleMs / 5, 20), 1000)

/**
 * Ingests the files of a folder, present and future, until the signal. A problem with a file is reported and does not stop the others; the
 * file is tried again when it changes. @throws WinnowError for what would end an ingest for any reason but the content of a file
 */
export async function watchAndIngest(options: WatchOptions): Promise<void> {
  const { folder, settleMs, poll, followLinks, clock, signal } = options
  const settling = new Settling(settleMs)
  const leftOut = new Map<string, LeftOutEntry>()
  let told = 0
  const tellLeftOut = () => {
    const entries = [...leftOut.values()].slice(told)
    told = leftOut.size
    if (entries.length > 0) options.leftOut(entries)
  }
  const watched = watchFolder(
    folder,
    { poll, ...(followLinks !== undefined && { followLinks }) },
    {
      touched: (name) => settling.touched(name),
      refused: (error) => options.refused(folder, error),
      leftOut: (entry) => {
        if (!leftOut.has(entry.name)) leftOut.set(entry.name, entry)
      },
    },
  )
  try {
    while (!signal.aborted) {
      await Promise.race([sleep(tickMsOf(settleMs), undefined, { signal }).catch(() => {}), watched.failed])
      tellLeftOut()
      for (const name of settling.pending) settling.observed(name, await versionOf(folder, name), clock())
      await ingestAll(settling.take(clock()), options)
    }
  } finally {
    await watched.close()
  }
}

/**
 * Many files at once, because each ingest has a fixed cost, which would add up in a folder of thousands of files. An ingest refuses all of its
 * files because of one, before it writes anything: then each half is tried separately.
 */
export async function ingestAll(
  names: readonly string[],
  options: Pick<WatchOptions, 'signal' | 'ingest' | 'told' | 'refused'>,
): Promise<void> {
  const [first] = names
  if (first === undefined || options.signal.aborted) return
  try {
    for (const source of (await options.ingest(names)).sources) options.told(source)
  } catch (error) {
    if (!(error instanceof WinnowError) || error.code !== 'CONFIGURATION') throw error
    if (names.length === 1) return options.refused(first, error)
    const half = Math.ceil(names.length / 2)
    await ingestAll(names.slice(0, half), options)
    await ingestAll(names.slice(half), options)
  }
}
