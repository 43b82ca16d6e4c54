/** What a labeler sees of a document. `meta` is the row without its text, parsed (`fieldAt` looks into it). */
export interface LabelInput {
  text: string
  meta: unknown
}

/** Why a document has no label, as a stable code. */
export type LabelFailure = 'unknown-domain' | 'non-finite-score' | 'language' | `rule-${string}`

/** A label: the subcategory's index in the actor's list, and a score (a probability, a regression's value, or 1); or why there is none. */
export type LabelResult =
  | { ok: true; subcategory: number; score: number }
  | { ok: false; reason: LabelFailure; message: string }

/** Gives each document one subcategory of one actor. */
export interface Labeler {
  readonly actor: string
  /** Digest of kind, model, mapping and settings: labels of equal versions are equal. */
  readonly version: string
  /** One result for each input, in their order. A document that cannot be labelled is a result, not an exception. */
  label(inputs: LabelInput[]): Promise<LabelResult[]>
  /** Waits for what is under way and ends the threads. */
  close(): Promise<void>
}

/** The part of an actor's configuration that labelling needs. */
export interface ActorOfLabels {
  name: string
  subcategories: string[]
}
