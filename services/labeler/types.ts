import type { LabelModel, LabelResult } from '../../topologies/stations/labeling.ts'
import type { ModelHere } from './golden/model.ts'

export type { LabelInput, LabelResult } from '../../topologies/stations/labeling.ts'

/** Gives each document one subcategory of one actor, by a model that it holds until it is closed. */
export interface Labeler extends LabelModel {
  /** Only labelers whose outputs may depend on the machine: hashed, onnx and perplexity. */
  readonly model?: ModelHere
  /** How it labels a score; left out by labelers without scores of their own, and by those that cut [0, 5] into equal parts. */
  readonly cut?: (score: number) => LabelResult
  /** Waits for pending work and ends the threads. */
  close(): Promise<void>
}

/** The part of an actor's configuration that labelling needs. */
export interface ActorOfLabels {
  name: string
  subcategories: string[]
}
