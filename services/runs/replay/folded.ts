import { RoundClosed, RoundOpened, runTopics, type TopicOffset } from '../../../schemas/index.ts'
import type { Delivered } from '../../../topologies/node.ts'
import { type CollectedRound, pulledRounds } from '../../../topologies/rounds/collect.ts'
import type { RoundLedger } from '../../../topologies/rounds/ledger.ts'
import { type RunConfig, rewardedRun } from '../../../topologies/run-config.ts'
import type { Runtime } from '../../connections/connections.ts'
import { recordsOf } from '../../runtime/records-of.ts'
import type { RecordedRun } from '../recorded.ts'

type Ports = Pick<Runtime, 'kafka' | 'codec'>

/**
 * The closed rounds of a run with their rewards, in the order in which they were closed, read from the topic as they are asked for: at any time this
 * holds the rewards of one round, and what was read with them.
 */
export async function* recordedRounds(
  runtime: Ports,
  run: RunConfig,
  { decisions }: Pick<RecordedRun, 'decisions'>,
): AsyncGenerator<CollectedRound> {
  const folded = decisions.filter(({ record }) => record === RoundOpened.name || record === RoundClosed.name)
  const closed = folded.filter(({ record }) => record === RoundClosed.name).map(({ value }) => value as RoundClosed)
  const topic = runTopics(rewardedRun(run)).rewards.name
  const waiting = new Set(closed.map(({ round }) => round))
  for await (const round of pulledRounds(run.selection, inOrderOfClosing(runtime, topic, folded, closed))) {
    yield round
    waiting.delete(round.opened.round)
    // What comes after the last closing counts for none of them.
    if (waiting.size === 0) return
  }
}

/** Ledgers of a run's closed rounds, going forward: of rounds before the one that is asked for nothing is kept. */
export class RoundLedgers implements AsyncDisposable {
  readonly #rounds: AsyncGenerator<CollectedRound>
  #at: CollectedRound | undefined

  constructor(runtime: Ports, run: RunConfig, log: Pick<RecordedRun, 'decisions'>) {
    this.#rounds = recordedRounds(runtime, run, log)
  }

  /**
   * The requests of a round with their answers.
   * @param round not before the one that was asked for last
   * @returns undefined: it was not closed, or the topic does not have all that its closing counts
   */
  async at(round: number): Promise<RoundLedger | undefined> {
    while (this.#at === undefined || this.#at.opened.round < round) {
      this.#at = undefined
      const { value, done } = await this.#rounds.next()
      if (done) return undefined
      this.#at = value
    }
    return this.#at.opened.round === round ? this.#at.ledger : undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#at = undefined
    await this.#rounds.return(undefined)
  }
}

/**
 * The decisions, then of each partition of the rewards those that the first closing counts, then those that the second counts, and so on to the end:
 * read partition by partition, all rewards but those of the last partition would have to wait for it.
 */
async function* inOrderOfClosing(
  runtime: Ports,
  topic: string,
  decisions: readonly Delivered[],
  closed: readonly RoundClosed[],
): AsyncGenerator<readonly Delivered[]> {
  yield decisions
  await using readers = new AsyncDisposableStack()
  const ends = await runtime.kafka.endOffsets(topic)
  const partitions = ends.map((_, partition) => readers.use(new PartitionReader(runtime, topic, partition, ends)))
  const toTheEnd = ends.map((offsetNext, partition) => ({ partition, offsetNext }))
  for (const limits of [...closed.map(({ rewardOffsets }) => rewardOffsets), toTheEnd])
    for (const limit of limits) yield* partitions[limit.partition]?.before(limit) ?? []
}

/** A few: each waits for its turn once. */
const batchRecords = 1024

/** Reads one partition of a topic on and on. */
class PartitionReader implements AsyncDisposable {
  readonly #records: AsyncGenerator<Delivered>
  readonly #partition: number
  #next = 0

  constructor(runtime: Ports, topic: string, partition: number, ends: readonly number[]) {
    this.#partition = partition
    const others: number[] = []
    for (const [other, end] of ends.entries()) if (other !== partition) others[other] = end
    this.#records = recordsOf(runtime, topic, others)
  }

  /** What was not read yet before an offset, and no more of it. */
  async *before({ offsetNext }: Pick<TopicOffset, 'offsetNext'>): AsyncGenerator<readonly Delivered[]> {
    while (this.#next < offsetNext) {
      const batch: Delivered[] = []
      while (this.#next < offsetNext && batch.length < batchRecords) {
        const { value, done } = await this.#records.next()
        // Others may have grown since their ends were asked for.
        const isOver = done || value.partition !== this.#partition
        this.#next = isOver ? Number.POSITIVE_INFINITY : value.offset + 1
        if (!isOver) batch.push(value)
      }
      yield batch
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#records.return(undefined)
  }
}
