import { concatMap, defer, from, type OperatorFunction, scan } from 'rxjs'
import { type Reward, type RoundClosed, RoundOpened, type TopicOffset } from '../../schemas/index.ts'
import type { Delivered } from '../node.ts'
import { parseRunConfig } from '../run-config.ts'
import type { RewardRules } from '../selection/price.ts'
import { changesRun } from './configuration.ts'
import { RoundLedger } from './ledger.ts'

/** A closed round with all its rewards, ready to be folded. */
export interface CollectedRound {
  readonly opened: RoundOpened
  readonly closed: RoundClosed
  readonly ledger: RoundLedger
  /** The openings up to this one that changed anything of how the run selects (`configurationBy`). */
  readonly changed: readonly RoundOpened[]
  /** Where a reader resumes after this round. */
  readonly inputOffsets: readonly TopicOffset[]
}

interface OpenRound {
  opened: RoundOpened | undefined
  closed: RoundClosed | undefined
  rewards: Delivered<Reward>[]
}

/**
 * Groups the console's decisions and the rewards by round, and emits a round once it is closed and every reward that the closing counts
 * has been read. Records may come in any interleaving of partitions, and more than once: rounds are emitted in the order in which they
 * were closed, each once.
 */
class Collector {
  ready: CollectedRound[] = []
  readonly #rounds = new Map<number, OpenRound>()
  readonly #closedInOrder: number[] = []
  readonly #positions = new Map<number, number>()
  #roundDone: number

  readonly #rules: RewardRules
  readonly #changed = new Map<number, RoundOpened>()

  constructor(rules: RewardRules, roundDone: number, positions: readonly TopicOffset[]) {
    this.#rules = rules
    this.#roundDone = roundDone
    for (const { partition, offsetNext } of positions) this.#positions.set(partition, offsetNext)
  }

  add(delivered: Delivered): this {
    this.ready = []
    const { round } = delivered.value as { round: number }
    if (delivered.record === 'Reward') {
      const position = this.#positions.get(delivered.partition) ?? 0
      this.#positions.set(delivered.partition, Math.max(position, delivered.offset + 1))
    }
    if (delivered.record === RoundOpened.name && changesRun(delivered.value as RoundOpened))
      this.#changed.set(round, delivered.value as RoundOpened)
    if (round > this.#roundDone) this.#file(round, delivered)
    this.#release()
    return this
  }

  #file(round: number, delivered: Delivered): void {
    const open = this.#rounds.get(round) ?? { opened: undefined, closed: undefined, rewards: [] }
    this.#rounds.set(round, open)
    if (delivered.record === 'Reward') open.rewards.push(delivered as Delivered<Reward>)
    else if (delivered.record === RoundOpened.name) open.opened ??= delivered.value as RoundOpened
    else if (open.closed === undefined) {
      open.closed = delivered.value as RoundClosed
      this.#closedInOrder.push(round)
    }
  }

  #release(): void {
    for (let round = this.#closedInOrder[0]; round !== undefined; round = this.#closedInOrder[0]) {
      const { opened, closed, rewards } = this.#rounds.get(round)!
      if (opened === undefined || closed === undefined || !this.#reached(closed.rewardOffsets)) return
      const changed = [...this.#changed.values()].filter((one) => one.round <= round)
      const ledger = new RoundLedger(opened, rulesOf(changed) ?? this.#rules)
      for (const { value, partition, offset } of rewards) ledger.accept(value, partition, offset)
      this.ready.push({ opened, closed, ledger, changed, inputOffsets: closed.rewardOffsets })
      this.#closedInOrder.shift()
      this.#roundDone = round
      // Rounds are closed in order, so what is kept of earlier ones will never be used: strays of rounds that never existed.
      for (const known of this.#rounds.keys()) if (known <= round) this.#rounds.delete(known)
    }
  }

  #reached(limits: readonly TopicOffset[]): boolean {
    return limits.every(({ partition, offsetNext }) => (this.#positions.get(partition) ?? 0) >= offsetNext)
  }
}

/** Of a run that has gone on by a shadow's settings, theirs. @param changed rounds in any order */
function rulesOf(changed: readonly RoundOpened[]): RewardRules | undefined {
  const [last] = changed.filter(({ promoted }) => promoted !== null).sort((a, b) => b.round - a.round)
  return last?.promoted == null ? undefined : parseRunConfig(JSON.parse(last.promoted.config)).selection
}

/**
 * RxJS operator over decoded `RoundOpened`, `RoundClosed` and `Reward` records.
 * @param rules the run's, which decide which rewards are valid and what of them counts
 * @param roundDone the last round already folded (from the restored state), -1 for none; its records are skipped
 * @param positions where the reader starts in each partition of the rewards, as the restored state says
 */
export const collectRounds =
  (
    rules: RewardRules,
    roundDone = -1,
    positions: readonly TopicOffset[] = [],
  ): OperatorFunction<Delivered, CollectedRound> =>
  (records$) =>
    defer(() =>
      records$.pipe(
        scan((collector, delivered) => collector.add(delivered), new Collector(rules, roundDone, positions)),
        concatMap((collector) => from(collector.ready)),
      ),
    )

/** The same for who asks for one round after the other: no batch of records is read before the round that needs it is asked for. */
export async function* pulledRounds(
  rules: RewardRules,
  batches: AsyncIterable<readonly Delivered[]>,
): AsyncGenerator<CollectedRound> {
  const collector = new Collector(rules, -1, [])
  for await (const batch of batches) for (const delivered of batch) yield* collector.add(delivered).ready
}
