/** Whether a document may be selected, by conditions that its cell does not decide. @param scoreOf its label scores, by actor's index */
export type DocumentTest = (tokens: number, scoreOf: (actor: number) => number) => boolean

/** A condition that a document's cell does not decide. */
export interface DocumentCondition {
  /** In words for a person. */
  readonly says: string
  readonly holds: DocumentTest
  /** The same as a range: at least so many tokens, or a score above one bound and not above another. */
  readonly of: { readonly tokensFrom: number } | ScoreRange
}

export interface ScoreRange {
  readonly actor: number
  /** null: no bound. */
  readonly above: number | null
  readonly upTo: number | null
}

/** The actors, by index, whose scores some conditions look at. */
export const scoredBy = (conditions: readonly DocumentCondition[]): number[] => [
  ...new Set(conditions.flatMap(({ of }) => ('actor' in of ? [of.actor] : []))),
]
