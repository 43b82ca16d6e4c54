import { WinnowError } from '../runtime/errors.ts'

/** One of the processes that train together. */
export interface Rank {
  /** From 0 to `ranks` - 1. */
  readonly rank: number
  readonly ranks: number
}

/**
 * The rank's part of a global batch: its documents `from` to `to` - 1. The parts of all ranks are consecutive and differ in length by at most
 * one; where a global batch begins does not depend on the number of ranks.
 */
export const partOf = ({ rank, ranks }: Rank, batchDocuments: number): { from: number; to: number } => ({
  from: Math.floor((rank * batchDocuments) / ranks),
  to: Math.floor(((rank + 1) * batchDocuments) / ranks),
})

/** @throws WinnowError USAGE for a rank that does not exist, or a batch too small to give each rank a document */
export function checkRank({ rank, ranks }: Rank, batchDocuments: number): void {
  const natural = [rank, ranks, batchDocuments].every((value) => Number.isSafeInteger(value) && value >= 0)
  if (natural && rank < ranks && ranks <= batchDocuments) return
  throw new WinnowError('USAGE', `rank ${rank} of ${ranks} cannot share batches of ${batchDocuments} documents`, {
    hint: 'Ranks count from 0, and a global batch needs at least one document per rank.',
  })
}
