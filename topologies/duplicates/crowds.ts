import type { DocumentId } from '../../schemas/index.ts'
import { compareIds } from '../selection/u64.ts'

/**
 * How many smaller ids the fullest of a document's crowds has, where a crowd is all documents that share a band key: of documents that rank below k no
 * band key is there more than k times. A function of the set of documents: whatever order they came in, a document has the same rank.
 * @param sketches each document once, with its band keys
 * @returns the documents whose rank is not 0
 */
export function crowdRanks(sketches: Iterable<readonly [DocumentId, readonly number[]]>): Map<DocumentId, number> {
  const crowds = new Map<number, DocumentId[]>()
  for (const [docId, keys] of sketches) {
    for (const key of new Set(keys)) {
      const crowd = crowds.get(key)
      if (crowd === undefined) crowds.set(key, [docId])
      else crowd.push(docId)
    }
  }
  const ranks = new Map<DocumentId, number>()
  for (const crowd of crowds.values()) {
    if (crowd.length === 1) continue
    crowd.sort(compareIds)
    for (const [rank, docId] of crowd.entries()) if (rank > (ranks.get(docId) ?? 0)) ranks.set(docId, rank)
  }
  return ranks
}
