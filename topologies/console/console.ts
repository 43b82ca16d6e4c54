import {
  ActorChange,
  ActorState,
  Evaluation,
  Manifest,
  type Offset,
  type OtherText,
  type Partition,
  Progress,
  Promotion,
  type Reward,
  RoundAdopted,
  RoundClosed,
  RoundOpened,
  RoundRelabelled,
  type RunTopics,
  runTopics,
  Steering,
  type TopicOffset,
} from '../../schemas/index.ts'
import type { Delivered, Processor } from '../node.ts'
import { RoundLedger } from '../rounds/ledger.ts'
import { OtherLosses, otherTextOf } from '../rounds/other-text.ts'
import type { RunConfig } from '../run-config.ts'
import { foldedActors } from '../selection/joint-cells.ts'
import { countReward } from './answering.ts'
import { nobodySays, PendingChanges } from './changes.ts'
import { closeRound } from './closing.ts'
import { Decisions } from './decisions.ts'
import { emitSelection } from './emitting.ts'
import { evaluateSelection } from './evaluating.ts'
import { openRound, roundDue } from './opening.ts'
import type { ConsolePorts } from './ports.ts'
import { Preparation } from './preparation.ts'
import { PendingPromotions } from './promotions.ts'
import { readSince, readsOn } from './reads.ts'
import { requestRewards } from './requesting.ts'
import { decideSelection } from './selecting.ts'
import { decideStage } from './staging.ts'
import { PendingSteerings } from './steerings.ts'

/**
 * The console (Definition 2): opens rounds as the trainer advances, closes them, and turns the actors' weights into a selection.
 *
 * Its decisions are records of `console-state`, keyed by kind and round, which it rereads at startup: what was decided is never decided
 * again, and what was interrupted is redone from the same inputs, with the same result. A run has one console; its transactional id
 * fences an older one.
 */
export class Console implements Processor {
  /** As it was recorded; what its rounds have is in `#decided`. */
  readonly #recorded: RunConfig
  readonly #decided: Decisions
  readonly #pending = new PendingChanges()
  readonly #promotions = new PendingPromotions()
  readonly #steerings = new PendingSteerings()
  readonly #preparation: Preparation
  readonly #ports: ConsolePorts
  readonly #topics: RunTopics
  readonly #actorStates = new Map<string, ActorState>()
  readonly #positions = new Map<number, number>()
  /** The newest report with a checkpoint. */
  #progress: Progress | undefined
  /** As the trainer has reported them. */
  readonly #otherLosses = new OtherLosses()
  /** How much of a selection the trainer had read when it left it for a later one. */
  readonly #left = new Map<number, number>()
  #ledger: RoundLedger | undefined
  #roundOpen = -1
  /** A decision being written: if the outcome of a write is unknown, the identical record is written again. */
  #opening: RoundOpened | undefined
  #closing: RoundClosed | undefined
  #relabelling: RoundRelabelled | undefined
  /** Since when the round has waited for its stage, as this console has seen it. */
  #stageSinceMs: number | undefined

  constructor(run: RunConfig, ports: ConsolePorts) {
    this.#recorded = run
    this.#decided = new Decisions(run)
    this.#ports = ports
    this.#preparation = new Preparation(ports, this.#decided, {
      changes: this.#pending,
      promotions: this.#promotions,
      steerings: this.#steerings,
    })
    this.#topics = runTopics(run.name)
  }

  get manifests(): ReadonlyMap<number, Manifest> {
    return this.#decided.manifests
  }

  /** Restores what this console, or an earlier one, has decided. Called once, before anything else. */
  restore(decisions: readonly Delivered[]): void {
    for (const { record, value } of decisions) this.#remember(record, value)
    const roundLast = Math.max(-1, ...this.#decided.opened.keys())
    this.#roundOpen = roundLast
    const opened = this.#decided.opened.get(roundLast)
    if (opened !== undefined) this.#ledger = this.#ledgerOf(opened)
    if (this.#decided.evaluations.size > 0) this.#tellEvaluations()
    // An evaluation needs the rewards of its round again.
    const done = [...this.#decided.closed.keys()].filter((round) => !this.#decided.awaitsEvaluation(round))
    const closedLast = this.#decided.closed.get(Math.max(-1, ...done))
    for (const { partition, offsetNext } of closedLast?.rewardOffsets ?? []) this.#positions.set(partition, offsetNext)
  }

  /** Where to resume reading: after the answers to closed rounds; the few records of trainer and actors are read from the start. */
  startOffset(topic: string, partition: Partition): Offset {
    return topic === this.#topics.rewards.name ? (this.#positions.get(partition) ?? 0) : 0
  }

  #remember(record: string, value: unknown): void {
    this.#decided.learn(record, value)
    if (record === RoundOpened.name) {
      const {
        round,
        changes = [],
        promoted = null,
        steered = [],
      } = value as Partial<RoundOpened> & Pick<RoundOpened, 'round'>
      this.#tellChanges(round, changes)
      if (promoted !== null) {
        this.#promotions.take(promoted)
        this.#ports.onEvent?.({ kind: 'promoted', round, shadow: promoted.shadow })
      }
      this.#steerings.take(steered)
      if (steered.length > 0) this.#ports.onEvent?.({ kind: 'steered', round, steered })
    }
    if (record === RoundRelabelled.name) {
      const { round, change } = value as RoundRelabelled
      if (change !== null && this.#decided.opened.has(round)) this.#tellChanges(round, [change])
    }
  }

  #tellChanges(round: number, changes: readonly ActorChange[]): void {
    if (changes.length === 0) return
    this.#pending.take(changes)
    this.#ports.onEvent?.({ kind: 'changed', round, changes })
  }

  /** Opens round 0 if there are documents, or continues where an earlier console stopped. */
  async start(): Promise<void> {
    await this.#advance()
  }

  async process(batch: readonly Delivered[]): Promise<void> {
    for (const delivered of batch) {
      if (delivered.record === Progress.name) this.#heed(delivered.value as Progress)
      else if (delivered.record === RoundAdopted.name) this.#leave(delivered.value as RoundAdopted)
      else if (delivered.record === ActorState.name) this.#learn(delivered.value as ActorState)
      else if (delivered.record === ActorChange.name) this.#want(delivered.value as ActorChange)
      else if (delivered.record === Promotion.name) this.#promote(delivered.value as Promotion)
      else if (delivered.record === Steering.name) this.#steer(delivered.value as Steering)
      else this.#answer(delivered as Delivered<Reward>)
    }
    await this.#advance()
  }

  /** Closes a round whose deadline has passed. Called periodically. */
  async tick(): Promise<void> {
    await this.#advance()
  }

  /** A round opens by a checkpoint: reports without one that come before it is opened, and older ones, do not hide it. */
  #heed(progress: Progress): void {
    this.#otherLosses.learn(progress)
    if (progress.checkpoint !== null && progress.step >= (this.#progress?.step ?? 0)) this.#progress = progress
  }

  /** The same again after a kill; what was read once stays read. */
  #leave({ run, previousRound, previousRead }: RoundAdopted): void {
    if (run !== this.#recorded.name || previousRound === null || previousRead === null) return
    this.#left.set(previousRound, Math.max(previousRead, this.#left.get(previousRound) ?? 0))
  }

  #want(change: ActorChange): void {
    if (change.run !== this.#recorded.name) return
    this.#pending.want(change)
    this.#ports.onEvent?.({ kind: 'wanted', change })
  }

  #promote(promotion: Promotion): void {
    if (promotion.run === this.#recorded.name) this.#promotions.want(promotion)
  }

  #steer(steering: Steering): void {
    if (steering.run === this.#recorded.name) this.#steerings.want(steering)
  }

  #ledgerOf(opened: RoundOpened): RoundLedger {
    return new RoundLedger(opened, this.#decided.configuration.at(opened.round).selection)
  }

  #learn(state: ActorState): void {
    this.#actorStates.set(`${state.actor}/${state.round}`, state)
  }

  #answer(delivered: Delivered<Reward>): void {
    const { partition, offset } = delivered
    this.#positions.set(partition, Math.max(this.#positions.get(partition) ?? 0, offset + 1))
    const refusal = countReward(delivered, this.#recorded.name, this.#decided, this.#roundOpen, this.#ledger)
    if (refusal !== undefined) this.#ports.output.deadLetter(delivered, refusal.reason, refusal.message)
  }

  async #advance(): Promise<void> {
    for (;;) {
      const round = this.#roundOpen
      if (round === -1) {
        if (!(await this.#openFirst())) return
      } else if (!this.#decided.closed.has(round)) {
        if (!(await this.#closeIfDue(round))) return
      } else if (!this.#decided.manifests.has(round) && this.#decided.awaitsStage(round)) {
        if (!(await this.#takeStage(round))) return
      } else if (!this.#decided.manifests.has(round)) {
        if (!(await this.#selectIfFolded(round))) return
      } else if (this.#decided.awaitsEvaluation(round)) {
        if (!(await this.#evaluate(round))) return
      } else {
        const due = this.#progress === undefined ? undefined : roundDue(this.#progress, this.#recorded, round)
        if (due === undefined || !(await this.#open(due))) return
      }
    }
  }

  /** A run may be recorded before its corpus is labelled: it waits, since an empty selection is of no use to a trainer. */
  async #openFirst(): Promise<boolean> {
    const awaited = await this.#preparation.toOpen(0, this.#roundOpen)
    if (awaited === undefined) return false
    const corpus = await this.#ports.store.view(this.#preparation.viewToSample(0, awaited))
    if ((await corpus.groups()).length === 0) {
      this.#preparation.forget()
      return false
    }
    return await this.#open(0)
  }

  async #decideOpening(round: number): Promise<RoundOpened | undefined> {
    const awaited = await this.#preparation.toOpen(round, this.#roundOpen)
    if (awaited === undefined) return undefined
    const { run, changes, promoted, steered, labelOffsets } = awaited
    return await openRound(run, round, await this.#ports.store.view(this.#preparation.viewToSample(round, awaited)), {
      progress: this.#progress,
      roundPrevious: this.#roundOpen,
      labelOffsets,
      nowMs: this.#ports.now(),
      changes,
      promoted,
      steered,
      otherText: await this.#otherTextOf(round, run),
      reads: readsOn(run) ? readSince(this.#decided.readsKnown(round), this.#progress, this.#left) : [],
    })
  }

  /** What the round draws from the natural mixture, as long as the run bounds the loss on other text. */
  async #otherTextOf(round: number, { selection: { guards } }: RunConfig): Promise<OtherText | null> {
    if (guards?.other === undefined) return null
    const { against } = guards.other
    const control = typeof against === 'string' ? ((await this.#ports.otherLosses?.(against)) ?? []) : []
    // What a run has read before its first round is nothing that it chose.
    const before = round === 0 ? 1 : (this.#decided.opened.get(round - 1)?.otherText?.share ?? 0)
    return otherTextOf(guards.other, this.#otherLosses.all, control, before)
  }

  /** @returns whether the round is open; if not, the corpus is being prepared for it */
  async #open(due: number): Promise<boolean> {
    const opened = this.#opening ?? (await this.#decideOpening(due))
    if (opened === undefined) return false
    const { round } = opened
    this.#opening = opened
    await this.#ports.output.transaction(async (send) => {
      await requestRewards(send, this.#topics.rewardRequests.name, opened, this.#ports.store)
      await send([
        { topic: this.#topics.consoleState.name, record: RoundOpened, key: `opened/${round}`, value: opened },
      ])
    })
    this.#opening = undefined
    this.#preparation.forget()
    this.#remember(RoundOpened.name, opened)
    this.#roundOpen = round
    this.#ledger = this.#ledgerOf(opened)
    this.#ports.onEvent?.({ kind: 'opened', round, requests: this.#ledger.requested })
    return true
  }

  #decideClosing(round: number): RoundClosed | undefined {
    const opened = this.#decided.opened.get(round)!
    return closeRound(opened, this.#ledger!.missing, this.#ports.now(), this.#topics.rewards.name, this.#positions)
  }

  async #closeIfDue(round: number): Promise<boolean> {
    const closed = this.#closing ?? this.#decideClosing(round)
    if (closed === undefined) return false
    this.#closing = closed
    await this.#ports.output.send([
      { topic: this.#topics.consoleState.name, record: RoundClosed, key: `closed/${round}`, value: closed },
    ])
    this.#closing = undefined
    this.#remember(RoundClosed.name, closed)
    this.#ports.onEvent?.({ kind: 'closed', round, reason: closed.reason, missing: closed.missing })
    return true
  }

  /** @returns false if the round still waits */
  async #takeStage(round: number): Promise<boolean> {
    this.#stageSinceMs ??= this.#ports.now()
    const run = this.#decided.configuration.at(round)
    const decided =
      this.#relabelling ??
      (await decideStage({
        ...{ run, opened: this.#decided.opened.get(round)!, waiting: this.#pending.waiting(run, round) },
        labelled: this.#ports.labelled ?? nobodySays,
        committed: () => this.#ports.store.committed(),
        waitedMs: this.#ports.now() - this.#stageSinceMs,
      }))
    if (decided === undefined) return false
    this.#relabelling = decided
    await this.#ports.output.send([
      { topic: this.#topics.consoleState.name, record: RoundRelabelled, key: `relabelled/${round}`, value: decided },
    ])
    this.#relabelling = undefined
    this.#stageSinceMs = undefined
    this.#remember(RoundRelabelled.name, decided)
    return true
  }

  async #selectIfFolded(round: number): Promise<boolean> {
    const run = this.#decided.configuration.at(round)
    const folded = foldedActors(run.selection)
    const actorStates = folded.map((name) => this.#actorStates.get(`${name}/${round}`))
    if (actorStates.some((state) => state === undefined)) return false
    const opened = this.#decided.opened.get(round)!
    if (!(await this.#preparation.isPrepared(round, run, opened.labelOffsets))) return false
    const decided = await decideSelection({
      ...this.#ports,
      run,
      opened,
      actorStates: actorStates as ActorState[],
      history: this.#decided.history(round),
    })
    const manifest = await emitSelection(this.#ports.output, decided, this.#ports.layout)
    this.#remember(Manifest.name, manifest)
    for (const name of folded) this.#actorStates.delete(`${name}/${round}`)
    this.#ports.onEvent?.({ kind: 'selected', run, manifest })
    return true
  }

  /** Once the selection is out, so that no trainer waits for it. @returns false if rewards of the round have still to be read again */
  async #evaluate(round: number): Promise<boolean> {
    const closed = this.#decided.closed.get(round)!
    const isRead = ({ partition, offsetNext }: TopicOffset) => (this.#positions.get(partition) ?? 0) >= offsetNext
    if (!closed.rewardOffsets.every(isRead)) return false
    const run = this.#decided.configuration.at(round)
    const rewarded = { run, opened: this.#decided.opened.get(round)!, closed, ledger: this.#ledger! }
    const manifest = this.#decided.manifests.get(round)!
    const value = await evaluateSelection(manifest, rewarded, this.#decided.history(round), this.#ports.store)
    await this.#ports.output.send([
      { topic: this.#topics.consoleState.name, record: Evaluation, key: `evaluated/${round}`, value },
    ])
    this.#remember(Evaluation.name, value)
    this.#tellEvaluations()
    return true
  }

  #tellEvaluations(): void {
    const evaluations = this.#decided.evaluationsInOrder
    this.#ports.onEvent?.({ kind: 'evaluated', evaluations })
  }
}
