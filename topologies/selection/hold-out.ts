import type { DocumentId } from '../../schemas/index.ts'
import type { SelectionConfig } from './config.ts'
import { orderKey, seedOf } from './u64.ts'

/** The bits of a key that decide: as many as a float64 share has. */
const shareBits = 53n

/**
 * Whether a round keeps a document's rewards for its evaluation and out of its fold (SELECTION.md, "Held-out rewards"): by document, so that no
 * actor folds what another one holds out; and anew in each round.
 * @returns undefined if nothing is held out
 */
export function heldOutOf(
  { seed, holdOut = 0 }: Pick<SelectionConfig, 'seed' | 'holdOut'>,
  round: number,
): ((documentId: DocumentId) => boolean) | undefined {
  if (holdOut === 0) return undefined
  const ofRound = seedOf(seed, round, 'hold-out')
  const limit = BigInt(Math.floor(holdOut * 2 ** Number(shareBits)))
  return (documentId) => orderKey(documentId, ofRound) >> (64n - shareBits) < limit
}

/** Rewards in columns, without those of documents that are held out. The order stays. */
export function withoutHeldOut<
  T extends {
    docIds: readonly DocumentId[]
    subcategories: readonly number[]
    rewards: readonly number[]
    labels?: readonly (readonly number[])[]
  },
>(columns: T, isHeldOut: ((documentId: DocumentId) => boolean) | undefined): T {
  if (isHeldOut === undefined) return columns
  const kept = columns.docIds.flatMap((docId, i) => (isHeldOut(docId) ? [] : [i]))
  return {
    ...columns,
    docIds: kept.map((i) => columns.docIds[i]!),
    subcategories: kept.map((i) => columns.subcategories[i]!),
    rewards: kept.map((i) => columns.rewards[i]!),
    ...(columns.labels !== undefined && { labels: kept.map((i) => columns.labels![i]!) }),
  }
}
