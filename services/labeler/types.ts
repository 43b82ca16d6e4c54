import type { LabelModel } from '../../topologies/stations/labeling.ts'

export type { LabelInput, LabelResult } from '../../topologies/stations/labeling.ts'

/** Gives each document one subcategory of one actor, by a model that it holds until it is closed. */
export interface Labeler extends LabelModel {
  /** Waits for what is under way and ends the threads. */
  close(): Promise<void>
}

/** The part of an actor's configuration that labelling needs. */
export interface ActorOfLabels {
  name: string
  subcategories: string[]
}
