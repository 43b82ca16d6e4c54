import type { ActorChange, Evaluation, Manifest, RoundClosed, Steering, TopicOffset } from '../../schemas/index.ts'
import type { CorpusStore, Preparing } from '../corpus-store.ts'
import type { Output } from '../node.ts'
import type { OtherLoss } from '../rounds/other-text.ts'
import type { RunConfig } from '../run-config.ts'
import type { Labelled } from './changes.ts'
import type { EmissionLayout } from './emitting.ts'
import type { ShadowAt } from './promotions.ts'
import type { ReadsSource } from './reads.ts'

export interface ConsolePorts {
  readonly store: CorpusStore
  readonly output: Output
  /** Left out: nobody can say, and no actor joins. */
  readonly labelled?: Labelled
  /**
   * How far the documents have been compared with all evaluation sets, and what was found is in the store: asked before its offsets. Undefined: there is no set.
   * Left out: nobody compares.
   */
  readonly checked?: () => Promise<readonly TopicOffset[] | undefined>
  /** Left out: nobody can say, and no shadow is promoted. */
  readonly shadowAt?: ShadowAt
  /** What another run has reported, for one that is held against it; none if there is no such run. Left out: nobody can say, and nothing is drawn from the natural mixture. */
  readonly otherLosses?: (run: string) => Promise<readonly OtherLoss[]>
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
  /** The first round of a run that limits near duplicates waits until documents are sketched. */
  | { kind: 'sketching'; round: number; preparing: Preparing }
  /** Documents that the last round saw have still to be compared with evaluation sets. */
  | { kind: 'unchecked'; round: number }
  | { kind: 'opened'; round: number; requests: number }
  /** The run's actors change with this round; told again after each start. */
  | { kind: 'changed'; round: number; changes: readonly ActorChange[] }
  /** Somebody wants a change of the run's actors; told again after each start. */
  | { kind: 'wanted'; change: ActorChange }
  /** The run goes on by the settings and weights of a shadow from this round on; told again after each start. */
  | { kind: 'promoted'; round: number; shadow: string }
  /** Somebody's hand is on the selections from this round on; told again after each start. */
  | { kind: 'steered'; round: number; steered: readonly Steering[] }
  | { kind: 'closed'; round: number; reason: RoundClosed['reason']; missing: number }
  /** `run`: as the round has it. */
  | { kind: 'selected'; run: RunConfig; manifest: Manifest }
  /** Of all evaluated rounds, the last one is new; told again after each start. */
  | { kind: 'evaluated'; evaluations: readonly Evaluation[] }
