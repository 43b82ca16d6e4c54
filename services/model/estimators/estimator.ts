import type { CheckpointRef } from '../../../topologies/stations/influence.ts'
import type { Sequence } from '../sequences.ts'

/** A reference task at a checkpoint. */
export interface ReferenceSummary {
  /** Mean over the sequences of their mean losses. */
  loss: number
  sequences: number
  /** Norm of the mean projected gradient; a probe computes none. */
  gradientNorm?: number
}

/** The reference tasks at one checkpoint, ready to score documents. */
export interface PreparedReference {
  readonly summaries: readonly ReferenceSummary[]
  /** Rewards [documents][tasks] of documents, each cut into its windows. */
  score(documents: readonly (readonly Sequence[])[]): Promise<number[][]>
}

/** A way to estimate how much training on a document now would help each reference task. Positive: it helps. */
export interface Estimator {
  /** Its name in reward events. */
  readonly name: string
  /** Done once per checkpoint and reference. */
  prepare(checkpoint: CheckpointRef, tasks: readonly (readonly Sequence[])[]): Promise<PreparedReference>
}
