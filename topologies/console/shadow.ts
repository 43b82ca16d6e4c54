import { Subject } from 'rxjs'
import {
  ActorState,
  Evaluation,
  Manifest,
  type Offset,
  type Partition,
  Reward,
  RoundClosed,
  RoundOpened,
  RoundRelabelled,
  type RunTopics,
  runTopics,
} from '../../schemas/index.ts'
import type { Delivered, Processor } from '../node.ts'
import { type CollectedRound, collectRounds } from '../rounds/collect.ts'
import type { RunConfig } from '../run-config.ts'
import { foldedActors } from '../selection/joint-cells.ts'
import { Decisions } from './decisions.ts'
import { emitSelection } from './emitting.ts'
import { evaluateSelection } from './evaluating.ts'
import { withLabels } from './opening.ts'
import type { ConsolePorts } from './ports.ts'
import { decideSelection, viewOptions } from './selecting.ts'
import { ascendingRounds, historyFor, readsFor } from './shadow-reads.ts'

const collected = new Set<string>([Reward.name, RoundOpened.name, RoundClosed.name])

/**
 * The console of a shadow: what its leader's console decides about time (when rounds open and close, what they see and ask) it takes as it is, and
 * from the leader's rewards and what the leader's trainer has read it makes the selections that its own configuration makes of them.
 *
 * It writes copies of the leader's openings and closings into its own `console-state`, by which its actors fold; then its manifest and its evaluation.
 * Everything is a function of the leader's log, so that what a kill interrupts is redone with the same result. It may be as late as it likes: nobody
 * waits for it.
 */
export class ShadowConsole implements Processor {
  readonly #run: RunConfig
  readonly #ports: ConsolePorts
  readonly #topics: RunTopics
  readonly #ledTopics: RunTopics
  readonly #led: Decisions
  /** The leader's openings as they were written, without the labels of stages that came later: what its actors fold by. */
  readonly #openings = new Map<number, RoundOpened>()
  readonly #own: Decisions
  readonly #actorStates = new Map<string, ActorState>()
  readonly #toCollect = new Subject<Delivered>()
  /** Rounds whose rewards are there, until they are evaluated. */
  readonly #collected = new Map<number, CollectedRound>()
  readonly #positions = new Map<number, number>()

  /** @param leader the run that it follows, as it was recorded */
  constructor(run: RunConfig, leader: RunConfig, ports: ConsolePorts) {
    this.#run = run
    this.#ports = { ...ports, selections: readsFor(leader.name, ports.selections) }
    this.#topics = runTopics(run.name)
    this.#ledTopics = runTopics(leader.name)
    this.#led = new Decisions(leader)
    this.#own = new Decisions(run)
  }

  /** Restores what this console, or an earlier one, has written. Called once, before anything else. */
  restore(decisions: readonly Delivered[]): void {
    for (const { record, value } of decisions) this.#own.learn(record, value)
    const done = [...this.#own.manifests.keys()].filter((round) => !this.#own.awaitsEvaluation(round))
    const roundDone = Math.max(-1, ...done)
    const closed = this.#own.closed.get(roundDone)
    for (const { partition, offsetNext } of closed?.rewardOffsets ?? []) this.#positions.set(partition, offsetNext)
    this.#toCollect
      .pipe(collectRounds(this.#run.selection, roundDone, closed?.rewardOffsets))
      .subscribe((round) => this.#collected.set(round.opened.round, round))
    for (const delivered of decisions) this.#collect(delivered)
    for (const { round, changes } of this.#own.opened.values()) this.#tellChanges(round, changes)
    if (this.#own.evaluations.size > 0) this.#tellEvaluations()
  }

  /** The leader's few decisions are read from the start; of rewards those that are still to be judged by. */
  startOffset(topic: string, partition: Partition): Offset {
    return topic === this.#ledTopics.rewards.name ? (this.#positions.get(partition) ?? 0) : 0
  }

  async process(batch: readonly Delivered[]): Promise<void> {
    for (const delivered of batch) {
      if (delivered.record === Reward.name) this.#collect(delivered)
      else if (delivered.record === ActorState.name) this.#learn(delivered.value as ActorState)
      else if (delivered.topic === this.#ledTopics.consoleState.name) this.#follow(delivered)
    }
    await this.#advance()
  }

  #follow({ record, value }: Delivered): void {
    this.#led.learn(record, value)
    if (record === RoundOpened.name) this.#openings.set((value as RoundOpened).round, value as RoundOpened)
  }

  /** The corpus may have been sorted in the meantime. Called periodically. */
  async tick(): Promise<void> {
    await this.#advance()
  }

  #learn(state: ActorState): void {
    if (!this.#own.manifests.has(state.round)) this.#actorStates.set(`${state.actor}/${state.round}`, state)
  }

  /** Only what is judged by rewards needs them; the actors read them for themselves. */
  #collect(delivered: Delivered): void {
    if (this.#run.selection.holdOut !== undefined && collected.has(delivered.record)) this.#toCollect.next(delivered)
  }

  async #advance(): Promise<void> {
    for (const round of ascendingRounds(this.#openings))
      while (!this.#isDone(round)) if (!(await this.#take(round))) return
  }

  #isDone(round: number): boolean {
    return this.#own.manifests.has(round) && !this.#own.awaitsEvaluation(round)
  }

  /** The next step of a round. @returns false if it waits */
  async #take(round: number): Promise<boolean> {
    const closed = this.#led.closed.get(round)
    if (!this.#own.opened.has(round)) return await this.#copyOpening(round)
    if (closed === undefined || this.#led.awaitsStage(round)) return false
    const relabelled = this.#led.relabelled.get(round)
    if (relabelled !== undefined && !this.#own.relabelled.has(round))
      return await this.#write(RoundRelabelled, `relabelled/${round}`, relabelled)
    if (!this.#own.closed.has(round)) return await this.#write(RoundClosed, `closed/${round}`, closed)
    return this.#own.manifests.has(round) ? await this.#evaluate(round) : await this.#select(round)
  }

  async #write(
    record: typeof RoundOpened | typeof RoundRelabelled | typeof RoundClosed | typeof Evaluation,
    key: string,
    value: unknown,
  ): Promise<true> {
    const topic = this.#topics.consoleState.name
    const [written] = await this.#ports.output.send([{ topic, record, key, value }])
    this.#own.learn(record.name, value)
    const { partition, offsetFirst: offset } = written!
    this.#collect({ topic, partition, offset, record: record.name, value })
    return true
  }

  /** Under the leader's name, whose round it is; with what this run needs of the samples and the leader may not. */
  async #copyOpening(round: number): Promise<boolean> {
    // Whoever serves or steers the leader, this run goes on by its own settings.
    const opened = { ...this.#openings.get(round)!, promoted: null, steered: [] }
    const { changes, labelOffsets } = opened
    // Its own configuration as of this round, which the opening changes.
    this.#own.configuration.learn(opened)
    const run = this.#own.configuration.at(round)
    const isJoint = run.selection.collaboration === 'joint'
    if (isJoint && !(await this.#isPrepared(round, run, labelOffsets))) return false
    const corpus = () => this.#ports.store.view({ ...viewOptions(run, labelOffsets, []), readsOf: null })
    const samples = isJoint ? await withLabels(opened.samples, run, await corpus()) : opened.samples
    await this.#write(RoundOpened, `opened/${round}`, { ...opened, samples })
    this.#tellChanges(round, changes)
    return true
  }

  async #isPrepared(round: number, run: RunConfig, labelOffsets: RoundOpened['labelOffsets']): Promise<boolean> {
    const history = historyFor(this.#run.name, this.#led.history(round))
    return (await this.#ports.store.prepare(viewOptions(run, labelOffsets, history))) === undefined
  }

  async #select(round: number): Promise<boolean> {
    const run = this.#own.configuration.at(round)
    const states = foldedActors(run.selection).map((name) => this.#actorStates.get(`${name}/${round}`))
    const opened = this.#own.opened.get(round)!
    if (states.includes(undefined) || !(await this.#isPrepared(round, run, opened.labelOffsets))) return false
    const decided = await decideSelection({
      ...this.#ports,
      ...{ run, opened, actorStates: states as ActorState[] },
      history: historyFor(run.name, this.#led.history(round)),
      previous: this.#before(round).at(-1),
    })
    const manifest = await emitSelection(this.#ports.output, decided, this.#ports.layout)
    this.#own.learn(Manifest.name, manifest)
    for (const key of this.#actorStates.keys()) if (key.endsWith(`/${round}`)) this.#actorStates.delete(key)
    this.#ports.onEvent?.({ kind: 'selected', run, manifest })
    return true
  }

  async #evaluate(round: number): Promise<boolean> {
    const collected = this.#collected.get(round)
    if (collected === undefined) return false
    const rewarded = { ...collected, run: this.#own.configuration.at(round), opened: this.#own.opened.get(round)! }
    const history = historyFor(this.#run.name, this.#led.history(round))
    const manifest = this.#own.manifests.get(round)!
    const before = this.#before(round)
    const value = await evaluateSelection(manifest, rewarded, history, this.#ports.store, before)
    await this.#write(Evaluation, `evaluated/${round}`, value)
    this.#collected.delete(round)
    this.#tellEvaluations()
    return true
  }

  /** Its own selections of earlier rounds, ascending. */
  #before(round: number): Manifest[] {
    return this.#own.history(round).map(({ manifest }) => manifest)
  }

  #tellChanges(round: number, changes: RoundOpened['changes']): void {
    if (changes.length > 0) this.#ports.onEvent?.({ kind: 'changed', round, changes })
  }

  #tellEvaluations(): void {
    this.#ports.onEvent?.({ kind: 'evaluated', evaluations: this.#own.evaluationsInOrder })
  }
}
