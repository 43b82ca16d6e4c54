import type { ActorChange, Evaluation, Manifest, RoundClosed } from '../../schemas/index.ts'
import type { CorpusStore, Preparing } from '../corpus-store.ts'
import type { Output } from '../node.ts'
import type { Labelled } from './changes.ts'
import type { EmissionLayout } from './emitting.ts'
import type { ReadsSource } from './reads.ts'

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
