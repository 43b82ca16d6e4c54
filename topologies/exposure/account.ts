/** A document at the edge of what was read, with what is known of it. */
export interface Edge {
  readonly index: number
  /** As ingest counted them, without the end that trainers add. */
  readonly tokens: number
}

/** What a training has read of a round's selection, in tokens. */
export interface Reading {
  /** Tokens of the documents that it has passed, with an end each and as often as each was passed. */
  readonly passed: number
  /** Tokens trained on: targets. */
  readonly trained: number
  /** The selection's first document; the last one passed; and the one after it, where the selection begins again. Null: there is none. */
  readonly first: Edge | null
  readonly last: Edge | null
  readonly next: Edge | null
}

/** What is to be added to a document's tokens, so that all add up to what was trained on. */
export interface Correction {
  readonly index: number
  readonly tokens: number
}

/**
 * Trainers pack a round's documents, each with an end, into one stream, whose first token is an input and no target, and drop what is left of the last batch:
 * T targets are tokens 1 to T of the stream. So of the first document a token less counts, and one at the other edge was read in part: the last that
 * was passed, or the one after it, where a trainer counts as passed only what was read to its end (docs/trainer.md, "Reporting").
 * @returns undefined if this does not add up: then ingest counted the tokens by other means than the trainer's tokenizer
 */
export function settle({ passed, trained, first, last, next }: Reading): readonly Correction[] | undefined {
  if (trained === 0) return passed === 0 ? [] : undefined
  const beyond = passed - (trained + 1)
  const edge = beyond >= 0 ? last : next
  if (first === null || edge === null) return undefined
  // A token at least of the last document was read; of the next one not its end.
  if (beyond >= 0 ? beyond > edge.tokens : -beyond > edge.tokens) return undefined
  const corrections = [{ index: first.index, tokens: -1 }]
  if (beyond !== 0) corrections.push({ index: edge.index, tokens: -beyond })
  return corrections
}
