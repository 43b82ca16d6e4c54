import { asDocumentId, type DocumentId } from '../../schemas/index.ts'
import { undrawInPlace } from '../../topologies/selection/draw.ts'
import type { Seed } from '../../topologies/selection/u64.ts'
import { drawKeySql } from './key-sql.ts'

export interface SampleRow {
  readonly subcategory: number
  /** Ascending, as text. */
  readonly keys: string[]
}

/**
 * The smallest keys of each subcategory, in one pass that keeps no more than them.
 * @param from table or subquery with `place`, and conditions; the statement takes `startsOf(seed)` as its parameter `starts`
 */
export function samplesSql(subcategory: string, count: number, from: string): string {
  if (!Number.isSafeInteger(count)) throw new RangeError(`not a number of documents: ${count}`)
  return `SELECT ${subcategory} AS subcategory, groupArraySorted(${count})(${drawKeySql('place', 'starts')}) AS keys FROM ${from}
    GROUP BY subcategory`
}

/** A key leads back to its document. */
export function idsOfKeys(keys: readonly string[], seed: Seed): DocumentId[] {
  const column = BigUint64Array.from(keys, BigInt)
  undrawInPlace(column, seed)
  return Array.from(column, asDocumentId)
}
