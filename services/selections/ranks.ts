import { WinnowError } from '../runtime/errors.ts'

/** One of the processes that train together. */
export interface Rank {
  /** From 0 to `ranks` - 1. */
  readonly rank: number
  readonly ranks: number
}

/**
 * The rank's part of a global batch: its documents `from` to `to` - 1. The parts of all ranks follow one another and differ in length by
 * one at most; where a global batch begins does not depend on how many ranks share it.
 */
export const partOf = ({ rank, ranks }: Rank, batchDocuments: number): { from: number; to: number } => ({
  from: Math.floor((rank * batchDocuments) / ranks),
  to: Math.floor(((rank + 1) * batchDocuments) / ranks),
})

/** @throws WinnowError USAGE for a rank that there is not, or a batch with less than a document for each */
export function checkRank({ rank, ranks }: Rank, batchDocuments: number): void {
  const natural = [rank, ranks, batchDocuments].every((value) => Number.isSafeInteger(value) && value >= 0)
  if (natural && rank < ranks && ranks <= batchDocuments) return
  throw new WinnowError('USAGE', `rank ${rank} of ${ranks} cannot share batches of ${batchDocuments} documents`, {
    hint: 'Ranks count from 0, and a global batch has a document for each of them at least.',
  })
}
