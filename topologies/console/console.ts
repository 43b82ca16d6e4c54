import {
  ActorChange,
  ActorState,
  type DocumentId,
  Evaluation,
  Manifest,
  type Offset,
  type Partition,
  Progress,
  type Reward,
  RewardRequest,
  RoundAdopted,
  RoundClosed,
  RoundOpened,
  RoundRelabelled,
  type RunTopics,
  runTopics,
  type TopicOffset,
  topics,
} from '../../schemas/index.ts'
import { type CorpusStore, columnsOf, type Preparing, type ViewOptions } from '../corpus-store.ts'
import { WinnowError } from '../errors.ts'
import type { Delivered, Output, Processor, Send } from '../node.ts'
import { Configuration, changesActors } from '../rounds/configuration.ts'
import { RoundLedger, refusals } from '../rounds/ledger.ts'
import type { RunConfig } from '../run-config.ts'
import { foldedActors } from '../selection/joint-cells.ts'
import { type ChangedRun, type Labelled, PendingChanges } from './changes.ts'
import { type EmissionLayout, emitSelection } from './emitting.ts'
import { evaluateSelection, isEvaluated } from './evaluating.ts'
import { openRound, roundDue } from './opening.ts'
import { type ReadsSource, readSince, readsKnown, readsOn, type SelectedRound } from './reads.ts'
import { decideSelection, viewOptions } from './selecting.ts'
import { decideStage, hasStage, withStage } from './staging.ts'

export interface ConsolePorts {
  readonly store: CorpusStore
  readonly output: Output
  /** Left out: nobody can say, and no actor joins. */
  readonly labelled?: Labelled
  /** The run's own earlier selections, for counting what was read. */
  readonly selections: ReadsSource
  /** Left out: `emissionLayout`. */
  readonly layout?: EmissionLayout | undefined
  readonly now: () => number
  /** Called with each decision, for logs and the terminal. */
  readonly onEvent?: (event: ConsoleEvent) => void
}

export type ConsoleEvent =
  | { kind: 'preparing'; round: number; preparing: Preparing }
  | { kind: 'opened'; round: number; requests: number }
  /** The run's actors change with this round; told again after each start. */
  | { kind: 'changed'; round: number; changes: readonly ActorChange[] }
  /** Somebody wants a change of the run's actors; told again after each start. */
  | { kind: 'wanted'; change: ActorChange }
  | { kind: 'closed'; round: number; reason: RoundClosed['reason']; missing: number }
  | { kind: 'selected'; manifest: Manifest }
  /** Of all evaluated rounds, the last one is new; told again after each start. */
  | { kind: 'evaluated'; evaluations: readonly Evaluation[] }

const nobodySays: Labelled = async () => false

/** What a round opens with. */
interface ToOpen extends ChangedRun {
  readonly labelOffsets: TopicOffset[]
}

/** Requests per send; with their texts they are the largest records of a run. */
const requestsPerSend = 200

/**
 * The console (Definition 2): opens rounds as the trainer advances, closes them, and turns the actors' weights into a selection.
 *
 * Its decisions are records of `console-state`, keyed by kind and round, which it rereads at startup: what was decided is never decided
 * again, and what was interrupted is redone from the same inputs, with the same result. A run has one console; its transactional id
 * fences an older one.
 */
export class Console implements Processor {
  /** As it was recorded; what its rounds have is in `#configuration`. */
  readonly #recorded: RunConfig
  readonly #configuration: Configuration
  readonly #pending = new PendingChanges()
  readonly #ports: ConsolePorts
  readonly #topics: RunTopics
  readonly #opened = new Map<number, RoundOpened>()
  readonly #closed = new Map<number, RoundClosed>()
  readonly #relabelled = new Map<number, RoundRelabelled>()
  readonly #manifests = new Map<number, Manifest>()
  readonly #evaluations = new Map<number, Evaluation>()
  readonly #actorStates = new Map<string, ActorState>()
  readonly #positions = new Map<number, number>()
  /** The newest report with a checkpoint. */
  #progress: Progress | undefined
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
  /** What the next round opens with, and the offsets that it waits for the corpus to be prepared as of. */
  #awaited: ToOpen | undefined
  /** How far that was when it was last told. */
  #told = ''

  constructor(run: RunConfig, ports: ConsolePorts) {
    this.#recorded = run
    this.#configuration = new Configuration(run)
    this.#ports = ports
    this.#topics = runTopics(run.name)
  }

  get manifests(): ReadonlyMap<number, Manifest> {
    return this.#manifests
  }

  /** Restores what this console, or an earlier one, has decided. Called once, before anything else. */
  restore(decisions: readonly Delivered[]): void {
    for (const { record, value } of decisions) this.#remember(record, value)
    const roundLast = Math.max(-1, ...this.#opened.keys())
    this.#roundOpen = roundLast
    const opened = this.#opened.get(roundLast)
    if (opened !== undefined) this.#ledger = new RoundLedger(opened, this.#recorded.selection.rewardTransform)
    if (this.#evaluations.size > 0) this.#tellEvaluations()
    // An evaluation needs the rewards of its round again.
    const done = [...this.#closed.keys()].filter((round) => !this.#awaitsEvaluation(round))
    const closedLast = this.#closed.get(Math.max(-1, ...done))
    for (const { partition, offsetNext } of closedLast?.rewardOffsets ?? []) this.#positions.set(partition, offsetNext)
  }

  /** Where to resume reading: after the answers to closed rounds; the few records of trainer and actors are read from the start. */
  startOffset(topic: string, partition: Partition): Offset {
    return topic === this.#topics.rewards.name ? (this.#positions.get(partition) ?? 0) : 0
  }

  #remember(record: string, value: unknown): void {
    if (record === RoundOpened.name) {
      const opened = value as RoundOpened
      this.#opened.set(opened.round, opened)
      this.#configuration.learn(opened)
      if (changesActors(opened)) {
        this.#pending.take(opened.changes)
        this.#ports.onEvent?.({ kind: 'changed', round: opened.round, changes: opened.changes })
      }
    }
    if (record === RoundClosed.name) this.#closed.set((value as RoundClosed).round, value as RoundClosed)
    if (record === RoundRelabelled.name) this.#relabel(value as RoundRelabelled)
    if (record === Manifest.name) this.#manifests.set((value as Manifest).round, value as Manifest)
    if (record === Evaluation.name) this.#evaluations.set((value as Evaluation).round, value as Evaluation)
  }

  #relabel(relabelled: RoundRelabelled): void {
    const { round, change } = relabelled
    this.#relabelled.set(round, relabelled)
    const opened = this.#opened.get(round)
    if (change === null || opened === undefined) return
    this.#opened.set(round, withStage(opened, relabelled))
    this.#configuration.add(round, change)
    this.#pending.take([change])
    this.#ports.onEvent?.({ kind: 'changed', round, changes: [change] })
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

  #learn(state: ActorState): void {
    this.#actorStates.set(`${state.actor}/${state.round}`, state)
  }

  #answer(delivered: Delivered<Reward>): void {
    const { value: reward, partition, offset } = delivered
    this.#positions.set(partition, Math.max(this.#positions.get(partition) ?? 0, offset + 1))
    const opened = this.#opened.get(reward.round)
    const closed = this.#closed.get(reward.round)
    if (reward.run !== this.#recorded.name || opened === undefined) {
      this.#ports.output.deadLetter(
        delivered,
        'unknown-round',
        `reward for round ${reward.round} of run ${reward.run}, which is not open`,
      )
      return
    }
    const counted = closed?.rewardOffsets.some((limit) => limit.partition === partition && offset < limit.offsetNext)
    if (counted) {
      // After a restart the rewards of a round that is still to be evaluated come again.
      if (reward.round === this.#roundOpen) this.#ledger!.accept(reward, partition, offset)
      return
    }
    const verdict = closed === undefined ? this.#ledger!.accept(reward, partition, offset) : 'late'
    const refusal = refusals[verdict]
    if (refusal === undefined) return
    const what = `reward of document ${reward.docId} for actor ${reward.actor} in round ${reward.round}`
    this.#ports.output.deadLetter(delivered, verdict, `${what} ${refusal}`)
  }

  async #advance(): Promise<void> {
    for (;;) {
      const round = this.#roundOpen
      if (round === -1) {
        if (!(await this.#openFirst())) return
      } else if (!this.#closed.has(round)) {
        if (!(await this.#closeIfDue(round))) return
      } else if (!this.#manifests.has(round) && this.#awaitsStage(round)) {
        if (!(await this.#takeStage(round))) return
      } else if (!this.#manifests.has(round)) {
        if (!(await this.#selectIfFolded(round))) return
      } else if (this.#awaitsEvaluation(round)) {
        if (!(await this.#evaluate(round))) return
      } else {
        const due = this.#progress === undefined ? undefined : roundDue(this.#progress, this.#recorded, round)
        if (due === undefined || !(await this.#open(due))) return
      }
    }
  }

  async #labelOffsets(run: RunConfig): Promise<TopicOffset[]> {
    const inputs = new Set([topics.documents.name, ...columnsOf(run).map(({ topic }) => topic)])
    return (await this.#ports.store.committed()).filter(({ topic }) => inputs.has(topic))
  }

  /** A run may be recorded before its corpus is labelled: it waits, since an empty selection is of no use to a trainer. */
  async #openFirst(): Promise<boolean> {
    const awaited = await this.#toOpen(0)
    if (awaited === undefined) return false
    const corpus = await this.#ports.store.view(this.#viewToSample(0, awaited))
    if ((await corpus.groups()).length === 0) {
      this.#awaited = undefined
      return false
    }
    return await this.#open(0)
  }

  /**
   * The run as a round has it, and the label offsets that it opens as of: those of now, once the corpus is sorted for draws as of them. What
   * is labelled while that goes on waits for the next round.
   */
  async #toOpen(round: number): Promise<ToOpen | undefined> {
    this.#awaited ??= await this.#changedFor(round)
    const { run, labelOffsets } = this.#awaited
    return (await this.#isPrepared(round, run, labelOffsets)) ? this.#awaited : undefined
  }

  /** With the changes that are ready, unless the corpus has still to be sorted for them: that goes on while the round opens without them. */
  async #changedFor(round: number): Promise<ToOpen> {
    const before = this.#configuration.last
    const last = this.#manifests.get(this.#roundOpen)
    if (last !== undefined) {
      const { run, changes } = await this.#pending.ready(before, round, last, this.#ports.labelled ?? nobodySays)
      const labelOffsets = await this.#labelOffsets(run)
      const prepare = () => this.#ports.store.prepare(viewOptions(run, labelOffsets, this.#history(round)))
      if (changes.length > 0 && (await prepare()) === undefined) return { run, changes, labelOffsets }
    }
    return { run: before, changes: [], labelOffsets: await this.#labelOffsets(before) }
  }

  /** What was read changes no sample. */
  #viewToSample(round: number, { run, labelOffsets }: ToOpen): ViewOptions {
    return { ...viewOptions(run, labelOffsets, this.#history(round)), readsOf: null }
  }

  /** The rounds selected before a round, ascending, each with what was read of it when that round opened. */
  #history(before: number): SelectedRound[] {
    const known = this.#readsKnown(before)
    const rounds = [...this.#manifests.keys()].filter((round) => round < before).sort((a, b) => a - b)
    return rounds.map((round) => ({
      run: this.#configuration.at(round),
      manifest: this.#manifests.get(round)!,
      read: known.get(round) ?? null,
    }))
  }

  #readsKnown(roundLast: number): Map<number, number | null> {
    const opened = [...this.#opened.values()].filter(({ round }) => round <= roundLast)
    return readsKnown(opened.sort((a, b) => a.round - b.round))
  }

  async #isPrepared(round: number, run: RunConfig, labelOffsets: readonly TopicOffset[]): Promise<boolean> {
    const preparing = await this.#ports.store.prepare(viewOptions(run, labelOffsets, this.#history(round)))
    if (preparing === undefined) {
      this.#told = ''
      return true
    }
    const told = `${round}/${Math.floor((20 * preparing.done) / Math.max(1, preparing.total))}`
    if (told !== this.#told) this.#ports.onEvent?.({ kind: 'preparing', round, preparing })
    this.#told = told
    return false
  }

  async #decideOpening(round: number): Promise<RoundOpened | undefined> {
    const awaited = await this.#toOpen(round)
    if (awaited === undefined) return undefined
    const { run, changes, labelOffsets } = awaited
    return await openRound(run, round, await this.#ports.store.view(this.#viewToSample(round, awaited)), {
      progress: this.#progress,
      roundPrevious: this.#roundOpen,
      labelOffsets,
      nowMs: this.#ports.now(),
      changes,
      reads: readsOn(run) ? readSince(this.#readsKnown(round), this.#progress, this.#left) : [],
    })
  }

  /** @returns whether the round is open; if not, the corpus is being prepared for it */
  async #open(due: number): Promise<boolean> {
    const opened = this.#opening ?? (await this.#decideOpening(due))
    if (opened === undefined) return false
    const { round } = opened
    this.#opening = opened
    await this.#ports.output.transaction(async (send) => {
      await this.#request(opened, send)
      await send([
        { topic: this.#topics.consoleState.name, record: RoundOpened, key: `opened/${round}`, value: opened },
      ])
    })
    this.#opening = undefined
    this.#awaited = undefined
    this.#remember(RoundOpened.name, opened)
    this.#roundOpen = round
    this.#ledger = new RoundLedger(opened, this.#recorded.selection.rewardTransform)
    this.#ports.onEvent?.({ kind: 'opened', round, requests: this.#ledger.requested })
    return true
  }

  async #request(opened: RoundOpened, send: Send): Promise<void> {
    const wanted = opened.samples.flatMap(({ actor, docIds }) => docIds.map((docId) => ({ actor, docId })))
    for (let first = 0; first < wanted.length; first += requestsPerSend) {
      const some = wanted.slice(first, first + requestsPerSend)
      const texts = await this.#ports.store.texts([...new Set(some.map(({ docId }) => docId))])
      await send(
        some.map(({ actor, docId }) => ({
          topic: this.#topics.rewardRequests.name,
          record: RewardRequest,
          key: docId.toString(),
          value: {
            run: this.#recorded.name,
            round: opened.round,
            actor,
            docId,
            text: textOf(texts, docId),
            checkpointPath: opened.checkpointPath ?? '',
            checkpointDigest: opened.checkpointDigest ?? '',
          } satisfies RewardRequest,
        })),
      )
    }
  }

  #decideClosing(round: number): RoundClosed | undefined {
    const opened = this.#opened.get(round)!
    const missing = this.#ledger!.missing
    const late = opened.deadlineMs !== null && this.#ports.now() >= opened.deadlineMs
    if (missing > 0 && !late) return undefined
    const topic = this.#topics.rewards.name
    return {
      run: this.#recorded.name,
      round,
      reason: missing === 0 ? 'answered' : 'deadline',
      rewardOffsets: [...this.#positions]
        .map(([partition, offsetNext]) => ({ topic, partition, offsetNext }))
        .sort((a, b) => a.partition - b.partition),
      missing,
    }
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

  #awaitsStage(round: number): boolean {
    return !this.#relabelled.has(round) && hasStage(this.#recorded, this.#opened.get(round)!)
  }

  /** @returns false if the round still waits */
  async #takeStage(round: number): Promise<boolean> {
    this.#stageSinceMs ??= this.#ports.now()
    const run = this.#configuration.at(round)
    const decided =
      this.#relabelling ??
      (await decideStage({
        ...{ run, opened: this.#opened.get(round)!, waiting: this.#pending.waiting(run, round) },
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
    const run = this.#configuration.at(round)
    const folded = foldedActors(run.selection)
    const actorStates = folded.map((name) => this.#actorStates.get(`${name}/${round}`))
    if (actorStates.some((state) => state === undefined)) return false
    const opened = this.#opened.get(round)!
    if (!(await this.#isPrepared(round, run, opened.labelOffsets))) return false
    const decided = await decideSelection({
      ...this.#ports,
      run,
      opened,
      actorStates: actorStates as ActorState[],
      history: this.#history(round),
    })
    const manifest = await emitSelection(this.#ports.output, decided, this.#ports.layout)
    this.#remember(Manifest.name, manifest)
    for (const name of folded) this.#actorStates.delete(`${name}/${round}`)
    this.#ports.onEvent?.({ kind: 'selected', manifest })
    return true
  }

  #awaitsEvaluation(round: number): boolean {
    return !this.#evaluations.has(round) && isEvaluated(this.#configuration.at(round), this.#opened.get(round)!)
  }

  /** Once the selection is out, so that no trainer waits for it. @returns false if rewards of the round have still to be read again */
  async #evaluate(round: number): Promise<boolean> {
    const closed = this.#closed.get(round)!
    const isRead = ({ partition, offsetNext }: TopicOffset) => (this.#positions.get(partition) ?? 0) >= offsetNext
    if (!closed.rewardOffsets.every(isRead)) return false
    const run = this.#configuration.at(round)
    const rewarded = { run, opened: this.#opened.get(round)!, closed, ledger: this.#ledger! }
    const manifest = this.#manifests.get(round)!
    const value = await evaluateSelection(manifest, rewarded, this.#history(round), this.#ports.store)
    await this.#ports.output.send([
      { topic: this.#topics.consoleState.name, record: Evaluation, key: `evaluated/${round}`, value },
    ])
    this.#remember(Evaluation.name, value)
    this.#tellEvaluations()
    return true
  }

  #tellEvaluations(): void {
    const evaluations = [...this.#evaluations.values()].sort((a, b) => a.round - b.round)
    this.#ports.onEvent?.({ kind: 'evaluated', evaluations })
  }
}

function textOf(texts: ReadonlyMap<DocumentId, string>, docId: DocumentId): string {
  const text = texts.get(docId)
  if (text !== undefined) return text
  throw new WinnowError('GUARANTEE_VIOLATED', `document ${docId} was sampled but has no text in the corpus store`)
}
