import type { DocumentId, TopicOffset } from '../../schemas/index.ts'
import { key } from './draw.ts'
import { orderKey, type Seed } from './u64.ts'

/** A group of which a selection took documents. */
export interface TakenGroup {
  labels: readonly number[]
  /** Before the selection was read. */
  reads: number
  /** Those whose key(id, select seed) is at most this; null: all. */
  keyLast: bigint | null
}

/**
 * What a trainer read of a selection that cells decided (SELECTION.md, step 5), as a condition on documents: of n documents in emission order it
 * passed m, so it read all of them floor(m / n) times and the first m mod n once more.
 */
export interface ReadSelection {
  /** As of which documents took part. */
  labelOffsets: readonly TopicOffset[]
  groups: readonly TakenGroup[]
  selectSeed: Seed
  orderSeed: Seed
  /** floor(m / n). */
  timesAll: number
  /** The order key of the last document that was read once more; null: there is none. */
  orderKeyLast: bigint | null
}

/** How often each of a selection's documents was read, as a function of documents that took part. */
export function readsOfSelection({ groups, selectSeed, orderSeed, timesAll, orderKeyLast }: ReadSelection) {
  const taken = new Map(groups.map(({ labels, reads, keyLast }) => [nameOf(labels, reads), keyLast]))
  return (id: DocumentId, labels: readonly number[], readsBefore: number): number => {
    const keyLast = taken.get(nameOf(labels, readsBefore))
    if (keyLast === undefined || (keyLast !== null && key(id, selectSeed) > keyLast)) return 0
    const once = orderKeyLast !== null && orderKey(id, orderSeed) <= orderKeyLast
    return timesAll + (once ? 1 : 0)
  }
}

const nameOf = (labels: readonly number[], reads: number): string => `${labels.join()};${reads}`

/** Documents of a cell that a selection's reading moved from one number of reads to another. */
export interface ReadMove {
  labels: readonly number[]
  readsBefore: number
  readsAfter: number
  documents: number
  tokens: number
}
