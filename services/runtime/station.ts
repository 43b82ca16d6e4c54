import { setTimeout as sleepFor } from 'node:timers/promises'
import { isKeptWhole, type Partition, type TopicOffset, topics } from '../../schemas/index.ts'
import type { RunningStation, Station } from '../../topologies/dataflow.ts'
import type { Output } from '../../topologies/node.ts'
import type { Codec } from './codec.ts'
import { ephemeralGroup } from './consumer-groups.ts'
import { DeadLetters } from './dead-letters.ts'
import { WinnowError } from './errors.ts'
import { Exclusive } from './exclusive.ts'
import { failpoint } from './failpoints.ts'
import { Gaps } from './gaps.ts'
import { StationInput } from './input.ts'
import type { Consumer, Hole, IncomingRecord, Kafka } from './kafka/port.ts'
import type { Log } from './log.ts'
import { LogPositions } from './log-positions.ts'
import type { Metrics } from './metrics/metrics.ts'
import { KafkaOutput } from './output.ts'
import { type Refill, refillHole } from './refill.ts'
import { type RetryPolicy, withRetries } from './retry.ts'
import { stationLag } from './station-lag.ts'
import { everyTick } from './ticks.ts'
import { StationTraces } from './tracing/tracing.ts'

export interface StationOptions {
  readonly station: Pick<Station, 'name' | 'reads' | 'restoreFrom' | 'exclusive' | 'tickMs'> &
    Partial<Pick<Station, 'writes'>>
  readonly build: (output: Output) => RunningStation
  readonly kafka: Kafka
  readonly codec: Codec
  readonly log: Log
  /**
   * Instances of a station share the partitions of what it reads, as members of this group; one with `startOffset` is in an ephemeral group.
   * An exclusive station also has it as its transactional id.
   */
  readonly groupId: string
  /** What it reads instead of records that a topic has deleted; default: nothing, a person decides. */
  readonly refill?: Refill
  /** Per partition; default: the consumer's. */
  readonly batchBytesMax?: number
  readonly retries?: RetryPolicy
  readonly metrics?: Metrics | undefined
  /** The share of documents whose trace contexts are propagated; default: none. */
  readonly traceRatio?: number | undefined
  /** The run it belongs to; the label of its metrics. */
  readonly run?: string
  /** The station has stopped for good; `close` is still to be called. */
  readonly onFailure: (error: unknown) => void
}

export interface StationStats {
  /** Records read, by topic; including those that went to dead letters. */
  readonly read: Readonly<Record<string, number>>
  /** Records written, by topic; without dead letters. */
  readonly written: Readonly<Record<string, number>>
  readonly deadLetters: number
  readonly retries: number
  /** The offset after the last processed record, by `topic[partition]`. */
  readonly positions: Readonly<Record<string, number>>
}

export interface StationHandle {
  /** Finishes the current batch, unless it fails and would be retried; commits its offsets, leaves the group. */
  close(): Promise<void>
  stats(): StationStats
}

/**
 * Sleeps 0.1, 0.2, ... 5 s, two minutes in all, on top of the clients' own retries: long enough for a database to restart. Only the current
 * batch is held meanwhile.
 */
const retriesDefault: RetryPolicy = {
  attemptsMax: 30,
  delayMsFirst: 100,
  delayMsMax: 5000,
  sleep: (ms, signal) => sleepFor(ms, undefined, { signal }).catch(() => {}),
}

/**
 * Runs a station of the dataflow on Kafka: the only way in which winnow's services consume topics.
 *
 * For each batch, in this order: decode; `process`, whose sends are acknowledged by all replicas before it goes on; dead letters, acknowledged
 * as well; then commit the group's offsets. So nothing is skipped: after a failure in between, the batch is read again. A record that cannot
 * be decoded, or that the station rejects, goes to dead letters with its bytes, and the rest goes on. Transient errors (WinnowError.retriable:
 * a registry, broker or database that is away) are retried with growing waits; any other error, or too long a wait, stops the station.
 */
export async function runStation(options: StationOptions): Promise<StationHandle> {
  const { station, kafka, codec, log } = options
  const transactionalId = station.exclusive ? options.groupId : undefined
  const counters = { read: {} as Record<string, number>, positions: {} as Record<string, number>, retries: 0 }
  const retries = options.retries ?? retriesDefault
  const traces = options.traceRatio === undefined ? undefined : new StationTraces(station.name, options.traceRatio)
  const output = await KafkaOutput.open({
    kafka,
    codec,
    traceOf: traces && ((outgoing) => traces.of(outgoing)),
    ...(transactionalId !== undefined && { transactionalId }),
  })
  const deadLetters = new DeadLetters(station.name, codec, output)
  const input = new StationInput(codec, deadLetters)
  // A decision contains offsets past the records that led to it. Their dead letters are written first: after a kill in between, those records
  // would not be read again.
  const afterLetters = async <T>(write: () => Promise<T>): Promise<T> => {
    await deadLetters.send()
    return await write()
  }
  const running = options.build({
    send: (records) =>
      transactionalId === undefined ? output.send(records) : afterLetters(() => output.send(records)),
    transaction: (work) => afterLetters(() => output.transaction(work)),
    deadLetter: (delivered, reason, message) => deadLetters.add(input.originOf(delivered), reason, message),
  })

  /** One thing at a time, as stations require: batches and ticks never overlap. */
  const exclusive = new Exclusive()
  const stopping = new AbortController()
  const persistently = <T>(doing: string, work: () => Promise<T>): Promise<T> =>
    withRetries(
      retries,
      work,
      (error, attempt, delayMs) => {
        counters.retries++
        log.warn({ station: station.name, err: error, attempt, delayMs }, `${doing} failed, trying again`)
      },
      stopping.signal,
    )

  // The offsets that a station with state keeps in it do not say of which log they are. Those of a group do.
  const owner = { group: options.groupId, station: station.name }
  const positions =
    station.restoreFrom.length === 0
      ? undefined
      : await persistently('the start', () => LogPositions.load(kafka, codec, owner)).catch(async (error: unknown) => {
          await output.close()
          throw error
        })
  const gaps = new Gaps({ kafka, codec })
  /** Holes that wait for somebody to decide. */
  const waiting = new Set<Hole>()
  const onHole = async (hole: Hole, signal: AbortSignal, reached: (offset: number) => void) => {
    const process = (records: readonly IncomingRecord[]) => exclusive.run(() => processBatch(records))
    const refilling = { station: station.name, log, signal, process, reached, persistently }
    const lost = options.refill === undefined ? hole : await refillHole(hole, options.refill, refilling)
    if (lost === undefined || signal.aborted) return
    waiting.add(lost)
    await gaps.untilAccepted(lost, station.name, log, signal).finally(() => waiting.delete(lost))
  }

  const stats = (): StationStats => ({
    ...structuredClone(counters),
    written: { ...output.written },
    deadLetters: deadLetters.sent,
  })
  const { metrics, run } = options
  // A station that keeps its own offsets reads every partition: sharing them with a second instance would starve both.
  const groupId = running.startOffset === undefined ? options.groupId : ephemeralGroup(options.groupId)
  const startOf = (topic: string, partition: Partition) => running.startOffset?.(topic, partition) ?? 0
  const lagOf = stationLag(kafka, station.reads, groupId, startOf)
  const meter = metrics?.station({
    station: station.name,
    run,
    stats,
    waitingFor: () => [...waiting].map(({ topic }) => topic),
    lagOf,
  })

  const processBatch = async (records: readonly IncomingRecord[]): Promise<void> => {
    const beganMs = metrics?.clock() ?? 0
    failpoint('polled')
    traces?.begin(records)
    await persistently('a batch', async () => {
      // What an earlier attempt rejected will be rejected again.
      deadLetters.clear()
      if (running.processPieces === undefined) {
        const batch = await input.decode(records)
        failpoint('decoded')
        await running.process(batch, reachedBy(records))
      } else await running.processPieces(input.pieces(records), reachedBy(records))
      await deadLetters.send()
    }).finally(() => traces?.end())
    failpoint('processed')
    const last = records.at(-1)
    if (last === undefined) return
    counters.read[last.topic] = (counters.read[last.topic] ?? 0) + records.length
    counters.positions[`${last.topic}[${last.partition}]`] = last.offset + 1
    positions?.reached(last.topic, last.partition, last.offset + 1)
    if (metrics !== undefined) meter?.batch((metrics.clock() - beganMs) / 1000)
  }

  let failed = false
  let stopTicks = () => {}
  const fail = (error: unknown) => {
    if (failed) return
    failed = true
    stopTicks()
    // A retriable failure while stopping is left to the next start.
    if (stopping.signal.aborted && error instanceof WinnowError && error.retriable)
      log.warn({ station: station.name, err: error }, 'stopped while it was trying again')
    else options.onFailure(error)
  }
  const tick = async () => {
    await running.tick?.()
    await deadLetters.send()
  }

  let consumer: Consumer | undefined
  /** Its state, and what else only it knows of, is of these logs. */
  const ownLogs = [...new Set([...station.reads, ...station.restoreFrom, ...(station.writes ?? [])])].filter(
    (topic) => topic !== topics.deadLetters.name,
  )
  const begin = async () => {
    await persistently('the start', async () =>
      positions?.writeEnds(ownLogs.filter((topic) => !station.reads.includes(topic))),
    )
    for (const topic of station.restoreFrom) running.restore?.(await input.readAll(kafka, topic))
    if (station.restoreFrom.length === 0) running.restore?.([])
    await persistently('the start', async () => running.start?.())
    consumer = await kafka.consume({
      groupId,
      topics: station.reads,
      ...(running.floorOffset && {
        floorOffset: (topic, partition) =>
          persistently('the start', async () => (await running.floorOffset?.(topic, partition)) ?? 0),
      }),
      ...(running.startOffset && { startOffset: (topic, partition) => running.startOffset?.(topic, partition) }),
      isKeptWhole,
      onHole,
      recorded: (topic, partition) => positions?.of(topic, partition),
      onPlace: (topic, partition, place) =>
        persistently('a batch', async () => positions?.seen(topic, partition, place)),
      ...(options.batchBytesMax !== undefined && { batchBytesMax: options.batchBytesMax }),
      onBatch: (records) => exclusive.run(() => processBatch(records)),
      onFailure: fail,
    })
    if (running.tick !== undefined && !failed)
      stopTicks = everyTick(station.tickMs ?? 1000, () => exclusive.run(() => persistently('a tick', tick)), fail)
  }
  /** Nothing is made of logs that are not what they were, until somebody has decided: not even a state. */
  const beginAfter = async (holes: readonly Hole[]) => {
    await Promise.all(holes.map((hole) => onHole(hole, stopping.signal, () => {})))
    if (!stopping.signal.aborted) await begin()
  }

  try {
    const holes = (await persistently('the start', async () => positions?.holes(ownLogs))) ?? []
    // A process has more stations than this one, which do not wait for it.
    const begun = holes.length === 0 ? await begin() : beginAfter(holes).catch(fail)
    return {
      close: async () => {
        stopTicks()
        stopping.abort()
        await begun
        await consumer?.close()
        await exclusive.idle()
        await positions
          ?.close()
          .catch((error: unknown) => log.warn({ station: station.name, err: error }, 'positions are not recorded'))
        await output.close()
        meter?.close()
      },
      stats,
    }
  } catch (error) {
    meter?.close()
    await positions?.close().catch(() => {})
    await output.close()
    throw error
  }
}

function reachedBy(records: readonly IncomingRecord[]): TopicOffset | undefined {
  const last = records.at(-1)
  return last && { topic: last.topic, partition: last.partition, offsetNext: last.offset + 1 }
}
