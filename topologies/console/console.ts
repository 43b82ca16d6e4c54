import {
  ActorState,
  type DocumentId,
  Manifest,
  type Offset,
  type Partition,
  Progress,
  type Reward,
  RewardRequest,
  RoundClosed,
  RoundOpened,
  type RunTopics,
  runTopics,
  type TopicOffset,
  topics,
} from '../../schemas/index.ts'
import type { CorpusStore, LabelColumn, Preparing } from '../corpus-store.ts'
import { WinnowError } from '../errors.ts'
import type { Delivered, Output, Processor, Send } from '../node.ts'
import { RoundLedger, refusals } from '../rounds/ledger.ts'
import type { RunConfig } from '../run-config.ts'
import { type EmissionLayout, emitSelection } from './emitting.ts'
import { openRound, roundDue } from './opening.ts'
import type { ReadsSource } from './reads.ts'
import { decideSelection, viewOf, viewOptions } from './selecting.ts'

export interface ConsolePorts {
  readonly store: CorpusStore
  readonly output: Output
  readonly columns: readonly LabelColumn[]
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
  | { kind: 'closed'; round: number; reason: RoundClosed['reason']; missing: number }
  | { kind: 'selected'; manifest: Manifest }

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
  readonly #run: RunConfig
  readonly #ports: ConsolePorts
  readonly #topics: RunTopics
  readonly #opened = new Map<number, RoundOpened>()
  readonly #closed = new Map<number, RoundClosed>()
  readonly #manifests = new Map<number, Manifest>()
  readonly #actorStates = new Map<string, ActorState>()
  readonly #positions = new Map<number, number>()
  /** The newest report with a checkpoint. */
  #progress: Progress | undefined
  #ledger: RoundLedger | undefined
  #roundOpen = -1
  /** A decision being written: if the outcome of a write is unknown, the identical record is written again. */
  #opening: RoundOpened | undefined
  #closing: RoundClosed | undefined
  /** The offsets that the next round waits for the corpus to be prepared as of. */
  #awaited: TopicOffset[] | undefined
  /** How far that was when it was last told. */
  #told = ''

  constructor(run: RunConfig, ports: ConsolePorts) {
    this.#run = run
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
    if (opened !== undefined) this.#ledger = new RoundLedger(opened, this.#run.selection.rewardTransform)
    const closedLast = this.#closed.get(Math.max(-1, ...this.#closed.keys()))
    for (const { partition, offsetNext } of closedLast?.rewardOffsets ?? []) this.#positions.set(partition, offsetNext)
  }

  /** Where to resume reading: after the answers to closed rounds; the few records of trainer and actors are read from the start. */
  startOffset(topic: string, partition: Partition): Offset {
    return topic === this.#topics.rewards.name ? (this.#positions.get(partition) ?? 0) : 0
  }

  #remember(record: string, value: unknown): void {
    if (record === RoundOpened.name) this.#opened.set((value as RoundOpened).round, value as RoundOpened)
    if (record === RoundClosed.name) this.#closed.set((value as RoundClosed).round, value as RoundClosed)
    if (record === Manifest.name) this.#manifests.set((value as Manifest).round, value as Manifest)
  }

  /** Opens round 0 if there are documents, or continues where an earlier console stopped. */
  async start(): Promise<void> {
    await this.#advance()
  }

  async process(batch: readonly Delivered[]): Promise<void> {
    for (const delivered of batch) {
      if (delivered.record === Progress.name) this.#heed(delivered.value as Progress)
      else if (delivered.record === ActorState.name) this.#learn(delivered.value as ActorState)
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

  #learn(state: ActorState): void {
    this.#actorStates.set(`${state.actor}/${state.round}`, state)
  }

  #answer(delivered: Delivered<Reward>): void {
    const { value: reward, partition, offset } = delivered
    this.#positions.set(partition, Math.max(this.#positions.get(partition) ?? 0, offset + 1))
    const opened = this.#opened.get(reward.round)
    const closed = this.#closed.get(reward.round)
    if (reward.run !== this.#run.name || opened === undefined) {
      this.#ports.output.deadLetter(
        delivered,
        'unknown-round',
        `reward for round ${reward.round} of run ${reward.run}, which is not open`,
      )
      return
    }
    const counted = closed?.rewardOffsets.some((limit) => limit.partition === partition && offset < limit.offsetNext)
    if (counted) return
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
      } else if (!this.#manifests.has(round)) {
        if (!(await this.#selectIfFolded(round))) return
      } else {
        const due = this.#progress === undefined ? undefined : roundDue(this.#progress, this.#run, round)
        if (due === undefined || !(await this.#open(due))) return
      }
    }
  }

  async #labelOffsets(): Promise<TopicOffset[]> {
    const inputs = new Set([topics.documents.name, ...this.#ports.columns.map(({ topic }) => topic)])
    return (await this.#ports.store.committed()).filter(({ topic }) => inputs.has(topic))
  }

  /** A run may be recorded before its corpus is labelled: it waits, since an empty selection is of no use to a trainer. */
  async #openFirst(): Promise<boolean> {
    const labelOffsets = await this.#offsetsToOpen(0)
    if (labelOffsets === undefined) return false
    const corpus = await viewOf(this.#ports, this.#run, labelOffsets)
    if ((await corpus.groups()).length === 0) {
      this.#awaited = undefined
      return false
    }
    return await this.#open(0)
  }

  /**
   * The label offsets that a round opens as of: those of now, once the corpus is sorted for draws as of them. What is labelled while that goes
   * on waits for the next round.
   */
  async #offsetsToOpen(round: number): Promise<TopicOffset[] | undefined> {
    this.#awaited ??= await this.#labelOffsets()
    return (await this.#isPrepared(round, this.#awaited)) ? this.#awaited : undefined
  }

  async #isPrepared(round: number, labelOffsets: readonly TopicOffset[]): Promise<boolean> {
    const preparing = await this.#ports.store.prepare(viewOptions(this.#ports, this.#run, labelOffsets))
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
    const labelOffsets = await this.#offsetsToOpen(round)
    if (labelOffsets === undefined) return undefined
    return await openRound(this.#run, round, await viewOf(this.#ports, this.#run, labelOffsets), {
      progress: this.#progress,
      roundPrevious: this.#roundOpen,
      labelOffsets,
      nowMs: this.#ports.now(),
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
    this.#ledger = new RoundLedger(opened, this.#run.selection.rewardTransform)
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
            run: this.#run.name,
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
      run: this.#run.name,
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

  async #selectIfFolded(round: number): Promise<boolean> {
    const actorStates = this.#run.selection.actors.map(({ name }) => this.#actorStates.get(`${name}/${round}`))
    if (actorStates.some((state) => state === undefined)) return false
    const opened = this.#opened.get(round)!
    if (!(await this.#isPrepared(round, opened.labelOffsets))) return false
    const previous = this.#manifests.get(Math.max(-1, ...[...this.#manifests.keys()].filter((other) => other < round)))
    const decided = await decideSelection({
      ...this.#ports,
      run: this.#run,
      opened,
      actorStates: actorStates as ActorState[],
      previous,
    })
    const manifest = await emitSelection(this.#ports.output, decided, this.#ports.layout)
    this.#remember(Manifest.name, manifest)
    for (const { name } of this.#run.selection.actors) this.#actorStates.delete(`${name}/${round}`)
    this.#ports.onEvent?.({ kind: 'selected', manifest })
    return true
  }
}

function textOf(texts: ReadonlyMap<DocumentId, string>, docId: DocumentId): string {
  const text = texts.get(docId)
  if (text !== undefined) return text
  throw new WinnowError('GUARANTEE_VIOLATED', `document ${docId} was sampled but has no text in the corpus store`)
}
