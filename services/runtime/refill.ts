import type { Hole, IncomingRecord } from './kafka/port.ts'
import type { Log } from './log.ts'

/** Where records are kept beside their topic. */
export interface Refill {
  /** Its name in logs. */
  readonly from: string
  /** The offset before which it has all records of a partition that there were. */
  keptBefore(topic: string, partition: number): Promise<number>
  /** Its records of a hole, in their order, as they were in the topic. */
  records(hole: Hole): AsyncIterable<readonly IncomingRecord[]>
}

export interface Refilling {
  readonly station: string
  readonly log: Log
  /** Aborts when the partition is read by somebody else. */
  readonly signal: AbortSignal
  process(records: readonly IncomingRecord[]): Promise<void>
  /** Everything before an offset is done: a later attempt begins there. */
  reached(offset: number): void
  /** Tries again what failed because something was away. */
  persistently(doing: string, work: () => Promise<void>): Promise<void>
}

/**
 * Processes what a topic has deleted and `refill` still has.
 * @returns what may be lost: records that `refill` is not known to have; undefined if there are none
 */
export async function refillHole(hole: Hole, refill: Refill, refilling: Refilling): Promise<Hole | undefined> {
  if (hole.reason !== 'deleted') return hole
  const { station, log, signal, process, reached, persistently } = refilling
  let kept = 0
  let from = hole.from
  let processed = 0
  let told = 0
  await persistently('reading what a topic has deleted', async () => {
    kept = Math.min(hole.to, await refill.keptBefore(hole.topic, hole.partition))
    for await (const records of refill.records({ ...hole, from })) {
      if (signal.aborted) return
      await process(records)
      processed += records.length
      from = records.at(-1)!.offset + 1
      // What comes behind may be lost, and then a person has to know.
      reached(Math.max(hole.from, Math.min(from, kept)))
      const percent = Math.floor((100 * (from - hole.from)) / (hole.to - hole.from))
      if (percent >= told + 10) {
        told = percent
        log.info(
          { station, topic: hole.topic, partition: hole.partition, percent, records: processed },
          `${percent}% of what ${hole.topic}[${hole.partition}] no longer has is read from ${refill.from}`,
        )
      }
    }
  })
  if (signal.aborted) return hole
  if (kept >= hole.to) return undefined
  return { ...hole, from: Math.max(hole.from, kept) }
}
