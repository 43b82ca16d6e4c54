import type { Work } from '../../schemas/index.ts'

/** What a model is, as far as its work counts. */
export interface ModelCost {
  readonly model: string
  readonly device: string
  /** Those that multiply: matrices without embedding tables, the output layer included. */
  readonly parameters: number
  /** All of them, by which Table 6 of the paper counts. */
  readonly parametersAll: number
  /** FLOPs per parameter and token: 2 forward, 6 forward and backward. */
  readonly factor: number
  /** Further FLOPs per token, for example of a projection. Left out: none. */
  readonly flopsPerToken?: number
  /** Further FLOPs per document, for example of a probe's pass over the reference. Left out: none. */
  readonly flopsPerDocument?: number
}

/** Forward pass: a multiplication and an addition per parameter and token. */
export const forward = 2
/** Forward and backward pass, the latter with respect to activations and to weights. */
export const forwardAndBackward = 6

/** Something that was worked on: where it stands in its stream, and the tokens that the model read of it. */
export interface WorkedOn {
  readonly at: number
  readonly tokens: number
}

/** Whose work it is and on what; the same for all pieces of a stretch. */
export type WorkKind = Pick<Work, 'run' | 'purpose' | 'subject' | 'stream' | 'partition'>

/** The FLOPs of a model's work (docs/ledger.md). */
export const flopsOf = (cost: ModelCost, { tokens, documents }: Pick<Work, 'tokens' | 'documents'>): number =>
  cost.factor * cost.parameters * tokens + (cost.flopsPerToken ?? 0) * tokens + (cost.flopsPerDocument ?? 0) * documents

/**
 * The stretch from `first` to before `next`, cut where powers of two have it: each piece's length is a power of two that divides its start.
 * Pieces of overlapping stretches are the same, apart, or one inside the other: whatever is repeated, from wherever it is read again, can be
 * told from what is new (`Ledger`). A stretch of n has at most 2 log2 n pieces.
 */
export function alignedPieces(first: number, next: number): { first: number; next: number }[] {
  const pieces: { first: number; next: number }[] = []
  for (let at = first; at < next; ) {
    let length = 1
    // Beyond 2^31 a stretch would be cut once more than needed; none is that long.
    while (length < 2 ** 31 && at % (2 * length) === 0 && at + 2 * length <= next) length *= 2
    pieces.push({ first: at, next: at + length })
    at += length
  }
  return pieces
}

/**
 * The records of the work on one stretch of a stream.
 * @param items ascending; not empty
 * @param next where the stretch ends
 * @param seconds of all of it; pieces have their shares by tokens
 */
export function workOn(
  kind: WorkKind,
  cost: ModelCost,
  items: readonly WorkedOn[],
  next: number,
  seconds: number,
): Work[] {
  const tokensAll = items.reduce((sum, { tokens }) => sum + tokens, 0)
  const shareOf = (tokens: number, documents: number) =>
    tokensAll === 0 ? documents / items.length : tokens / tokensAll
  return alignedPieces(items[0]!.at, next).flatMap((piece) => {
    const own = items.filter(({ at }) => at >= piece.first && at < piece.next)
    if (own.length === 0) return []
    const amount = { documents: own.length, tokens: own.reduce((sum, { tokens }) => sum + tokens, 0) }
    return [
      {
        ...kind,
        ...piece,
        ...amount,
        ...{ model: cost.model, device: cost.device, factor: cost.factor },
        ...{ parameters: cost.parameters, parametersAll: cost.parametersAll },
        flops: flopsOf(cost, amount),
        seconds: seconds * shareOf(amount.tokens, amount.documents),
      },
    ]
  })
}

/** The identity of a piece of work: the key of its record. */
export const workKey = ({ purpose, subject, stream, partition, first, next }: Work): string =>
  [purpose, subject, stream, partition, `${first}-${next}`].join('/')
