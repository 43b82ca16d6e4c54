import {
  type Manifest,
  type Offset,
  type Promoted,
  type Steering,
  type TopicOffset,
  topics,
} from '../../schemas/index.ts'
import { columnsOf, duplicatesOf, type Preparing, type ViewOptions } from '../corpus-store.ts'
import type { RunConfig } from '../run-config.ts'
import { type ChangedRun, nobodySays, type PendingChanges } from './changes.ts'
import type { Decisions } from './decisions.ts'
import type { ConsoleEvent, ConsolePorts } from './ports.ts'
import type { PendingPromotions } from './promotions.ts'
import { viewOptions } from './selecting.ts'
import type { PendingSteerings } from './steerings.ts'
import { unsketched } from './unsketched.ts'

/** What a round opens with. */
export interface ToOpen extends ChangedRun {
  readonly promoted: Promoted | null
  readonly steered: readonly Steering[]
  readonly labelOffsets: TopicOffset[]
}

/** What somebody wants of the run and no round has taken yet. */
export interface Wanted {
  readonly changes: PendingChanges
  readonly promotions: PendingPromotions
  readonly steerings: PendingSteerings
}

/** Has the corpus sorted for the draws of rounds before they open or select: that goes on in the background, and rounds wait for it. */
export class Preparation {
  readonly #ports: Pick<ConsolePorts, 'store' | 'labelled' | 'checked' | 'shadowAt' | 'onEvent'>
  readonly #decided: Decisions
  readonly #wanted: Wanted
  /** What the next round opens with, and the offsets that it waits for the corpus to be prepared as of. */
  #awaited: ToOpen | undefined
  /** Offsets of the documents that have to be sketched before the first round. */
  #toSketch: readonly TopicOffset[] | undefined
  /** How far that was when it was last told. */
  #told = ''

  constructor(
    ports: Pick<ConsolePorts, 'store' | 'labelled' | 'checked' | 'shadowAt' | 'onEvent'>,
    decided: Decisions,
    wanted: Wanted,
  ) {
    this.#ports = ports
    this.#decided = decided
    this.#wanted = wanted
  }

  /**
   * The run as a round has it, and the label offsets that it opens as of: those of now, once the corpus is sorted for draws as of them. What
   * is labelled while that goes on waits for the next round.
   * @param roundBefore the last round that was opened
   */
  async toOpen(round: number, roundBefore: number): Promise<ToOpen | undefined> {
    this.#awaited ??= await this.#changedFor(round, roundBefore)
    if (this.#awaited === undefined) return undefined
    const { run, labelOffsets } = this.#awaited
    return (await this.isPrepared(round, run, labelOffsets)) ? this.#awaited : undefined
  }

  /** The round is open, or will open with other offsets. */
  forget(): void {
    this.#awaited = undefined
  }

  /** What was read changes no sample. */
  viewToSample(round: number, { run, labelOffsets }: ToOpen): ViewOptions {
    return { ...viewOptions(run, labelOffsets, this.#decided.history(round)), readsOf: null }
  }

  async isPrepared(round: number, run: RunConfig, labelOffsets: readonly TopicOffset[]): Promise<boolean> {
    const preparing = await this.#ports.store.prepare(viewOptions(run, labelOffsets, this.#decided.history(round)))
    if (preparing === undefined) {
      this.#told = ''
      return true
    }
    this.#tell({ kind: 'preparing', round, preparing })
    return false
  }

  /**
   * With the changes that are ready, unless the corpus has still to be sorted for them: that goes on while the round opens without them. Undefined while
   * documents that the last round saw have still to be compared with evaluation sets.
   */
  async #changedFor(round: number, roundBefore: number): Promise<ToOpen | undefined> {
    const before = this.#decided.configuration.last
    const last = this.#decided.manifests.get(roundBefore)
    // Asked first: what was found in these documents is among the exclusions of the offsets that are asked for after that.
    const checked = await this.#ports.checked?.()
    if (last !== undefined) {
      if (checked !== undefined && !covers(checked, last)) {
        this.#tellUnchecked(round)
        return undefined
      }
      const promoted = await this.#promoted(round, roundBefore, checked)
      if (promoted !== undefined) return promoted
      const { run, changes } = await this.#wanted.changes.ready(before, round, last, this.#ports.labelled ?? nobodySays)
      const labelOffsets = await this.#labelOffsets(run, checked)
      const prepare = () => this.#ports.store.prepare(viewOptions(run, labelOffsets, this.#decided.history(round)))
      if (changes.length > 0 && (await prepare()) === undefined)
        return this.#steered(round, { run, changes, promoted: null, labelOffsets })
    }
    const labelOffsets = await this.#labelOffsets(before, checked)
    if (last === undefined && !(await this.#isSketched(round, before, labelOffsets))) return undefined
    return this.#steered(round, { run: before, changes: [], promoted: null, labelOffsets })
  }

  /** Whether those documents are sketched that were there when it was first asked. */
  async #isSketched(round: number, run: RunConfig, labelOffsets: readonly TopicOffset[]): Promise<boolean> {
    this.#toSketch ??= labelOffsets
    const preparing = await unsketched(this.#ports.store, run, labelOffsets, this.#toSketch)
    if (preparing === undefined) this.#toSketch = undefined
    else this.#tell({ kind: 'sketching', round, preparing })
    return preparing === undefined
  }

  /** With a shadow that may serve from this round on. Changes of actors wait for the next one. */
  async #promoted(
    round: number,
    roundBefore: number,
    checked: readonly TopicOffset[] | undefined,
  ): Promise<ToOpen | undefined> {
    const { shadowAt, store } = this.#ports
    const promoted = shadowAt && (await this.#wanted.promotions.ready(round, roundBefore, shadowAt))
    if (promoted === undefined) return undefined
    const run = this.#decided.configuration.promotedRun(round, promoted)
    const labelOffsets = await this.#labelOffsets(run, checked)
    const { version } = duplicatesOf(run) ?? {}
    if (version !== duplicatesOf(this.#decided.configuration.last)?.version) {
      const seen = this.#decided.manifests.get(roundBefore)?.labelOffsets ?? []
      if ((await unsketched(store, run, labelOffsets, seen)) !== undefined) return undefined
    }
    const preparing = await store.prepare(viewOptions(run, labelOffsets, this.#decided.history(round)))
    return preparing === undefined ? this.#steered(round, { run, changes: [], promoted, labelOffsets }) : undefined
  }

  /** What was steered waits for nothing: guards need no labels, and a round waits for reads that have to be counted for it. */
  #steered(round: number, toOpen: Omit<ToOpen, 'steered'>): ToOpen {
    return { ...toOpen, ...this.#wanted.steerings.ready(toOpen.run, round) }
  }

  /** Not more often than each twentieth. */
  #tell(event: Extract<ConsoleEvent, { preparing: Preparing }>): void {
    const { kind, round, preparing } = event
    const told = `${kind}/${round}/${Math.floor((20 * preparing.done) / Math.max(1, preparing.total))}`
    if (told !== this.#told) this.#ports.onEvent?.(event)
    this.#told = told
  }

  #tellUnchecked(round: number): void {
    if (this.#told !== `${round}/unchecked`) this.#ports.onEvent?.({ kind: 'unchecked', round })
    this.#told = `${round}/unchecked`
  }

  /** @param checked documents further on take no part yet; undefined: all do */
  async #labelOffsets(run: RunConfig, checked: readonly TopicOffset[] | undefined): Promise<TopicOffset[]> {
    const shared = [topics.documents.name, topics.exclusions.name, topics.sketches.name]
    const inputs = new Set<string>([...shared, ...columnsOf(run).map(({ topic }) => topic)])
    const committed = (await this.#ports.store.committed()).filter(({ topic }) => inputs.has(topic))
    if (checked === undefined) return committed
    const limits = new Map(checked.map(({ partition, offsetNext }) => [partition, offsetNext]))
    return committed.map((place) => {
      if (place.topic !== topics.documents.name) return place
      return { ...place, offsetNext: Math.min(place.offsetNext, limits.get(place.partition) ?? 0) as Offset }
    })
  }
}

/** Whether a round saw no document behind these offsets. */
function covers(checked: readonly TopicOffset[], { labelOffsets }: Manifest): boolean {
  const limits = new Map(checked.map(({ partition, offsetNext }) => [partition, offsetNext]))
  const seen = labelOffsets.filter(({ topic }) => topic === topics.documents.name)
  return seen.every(({ partition, offsetNext }) => (limits.get(partition) ?? 0) >= offsetNext)
}
