import type { ActorChange, Manifest, TopicOffset } from '../../schemas/index.ts'
import { labelsTopic, topics } from '../../schemas/index.ts'
import type { LabelColumn } from '../corpus-store.ts'
import { changedRun, needsLabels } from '../rounds/configuration.ts'
import type { RunConfig } from '../run-config.ts'

/**
 * Whether every document before these offsets has a label of this version in the corpus store, or was refused by its labeler. The answer decides
 * when an actor joins, which is a record; nothing else depends on it.
 */
export type Labelled = (column: LabelColumn, documents: readonly TopicOffset[]) => Promise<boolean>

/** Where nothing can be asked. */
export const nobodySays: Labelled = async () => false

/** A run with the changes that are ready for a round. */
export interface ChangedRun {
  readonly run: RunConfig
  readonly changes: readonly ActorChange[]
}

/** Changes that somebody asked for and that no round has taken yet. */
export class PendingChanges {
  readonly #wanted = new Map<string, ActorChange>()
  readonly #taken = new Set<string>()

  /** In log order; the same change again is the same. */
  want(change: ActorChange): void {
    if (!this.#wanted.has(change.id)) this.#wanted.set(change.id, change)
  }

  take(changes: readonly ActorChange[]): void {
    for (const { id } of changes) this.#taken.add(id)
  }

  /**
   * Those that still wait before a round. A removal that is due, of an actor that has not joined yet, calls off its addition; labels that a round has
   * taken call off those that were wanted before them, but not those of other subcategories that wait; of those the last that were wanted count.
   */
  waiting(run: RunConfig, round = 0): ActorChange[] {
    let waiting: ActorChange[] = []
    const there = new Set(run.selection.actors.map(({ name }) => name))
    for (const change of this.#wanted.values()) {
      if (this.#taken.has(change.id)) {
        waiting = waiting.filter((one) => !replaces(change, one))
        continue
      }
      if (change.mapping !== null) waiting = waiting.filter((one) => one.mapping === null || !replaces(change, one))
      const added = waiting.findIndex(({ kind, actor }) => kind === 'add' && actor === change.actor)
      const due = change.fromRound === null || change.fromRound <= round
      if (change.kind === 'remove' && due && !there.has(change.actor) && added !== -1) waiting.splice(added, 1)
      else waiting.push(change)
    }
    return waiting
  }

  /**
   * The run as a round may have it: with every change that fits, that is due, and, of an addition or other labels, whose labels cover what the last
   * selection saw. A labeler that is behind delays nobody: its actor joins, or has its labels, at a later round.
   */
  async ready(run: RunConfig, round: number, last: Manifest, labelled: Labelled): Promise<ChangedRun> {
    let changed = run
    let changes: ActorChange[] = []
    const documents = last.labelOffsets.filter(({ topic }) => topic === topics.documents.name)
    for (const change of this.waiting(run, round)) {
      if (change.fromRound !== null && round < change.fromRound) continue
      const settled =
        change.kind === 'add' ? { ...change, initialTheta: change.initialTheta ?? meanOf(last.theta) } : change
      const next = changedRun(changed, settled)
      if (next === undefined) continue
      if (needsLabels(change) && !(await labelled(columnOf(change), documents))) continue
      changed = next
      // Of labels that are ready together the last ones hold, as if the others had never been wanted.
      changes = changes.filter((one) => one.mapping !== null || !replaces(change, one))
      changes.push(settled)
    }
    return { run: changed, changes }
  }
}

/** Whether labels make those of an earlier change needless. */
const replaces = (later: ActorChange, earlier: ActorChange): boolean =>
  later.kind === 'relabel' &&
  earlier.kind === 'relabel' &&
  earlier.actor === later.actor &&
  (earlier.mapping === null || later.mapping !== null)

/** The labels that a change asks for. */
export const columnOf = ({ actor, labelerVersion }: ActorChange): LabelColumn => ({
  actor,
  version: labelerVersion,
  topic: labelsTopic(actor).name,
})

/** In configuration order, from 0. */
const meanOf = (theta: readonly number[]): number => theta.reduce((sum, value) => sum + value, 0) / theta.length
