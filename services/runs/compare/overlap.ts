import { asDocumentId, type DocumentId } from '../../../schemas/index.ts'
import type { Corpus, DescribedDocument } from '../../../topologies/selection/corpus.ts'
import { type Member, membersOf } from './selected.ts'

/** A value of each run, as the command names them. */
export type Both<T> = readonly [T, T]

/** What two selections have of the documents with the same labels. */
export interface CellOverlap {
  /** Subcategory of each actor, in configuration order. */
  readonly labels: readonly number[]
  readonly documents: Both<number>
  readonly tokens: Both<number>
  readonly common: number
}

export interface Overlap {
  readonly documents: Both<number>
  readonly common: number
  /** Documents in both over documents in either; 1 where neither has one. */
  readonly jaccard: number
  /** Those of most documents first. */
  readonly cells: readonly CellOverlap[]
  /** Documents that are in no cell, since the corpus that was asked does not have them with all labels. */
  readonly unlabelled: Both<number>
}

export const jaccardOf = ([a, b]: Both<number>, common: number): number => {
  const either = a + b - common
  return either === 0 ? 1 : common / either
}

/** Documents that are described at a time. */
const batchDocuments = 30_000

/**
 * What two selections have in common, in all and by cell.
 * @param corpora who knows the labels of documents of the first selection, and of those that only the second one has
 */
export async function overlapOf(
  a: BigUint64Array,
  b: BigUint64Array,
  corpora: Both<Pick<Corpus, 'describe'>>,
): Promise<Overlap> {
  const cells = new Map<string, { labels: readonly number[]; documents: number[]; tokens: number[]; common: number }>()
  const unlabelled = [0, 0]
  let common = 0
  const count = ({ inA, inB }: Member, found: DescribedDocument | undefined) => {
    if (inA && inB) common++
    if (found === undefined) {
      if (inA) unlabelled[0]!++
      if (inB) unlabelled[1]!++
      return
    }
    const { labels, tokens } = found
    const name = labels.join()
    const cell = cells.get(name) ?? { labels, documents: [0, 0], tokens: [0, 0], common: 0 }
    cells.set(name, cell)
    for (const [side, isIn] of [inA, inB].entries()) {
      if (!isIn) continue
      cell.documents[side]!++
      cell.tokens[side]! += tokens
    }
    if (inA && inB) cell.common++
  }
  for (const batch of batchesOf(membersOf(a, b))) {
    const asked = corpora.map(async (corpus, side) => {
      const ids = batch.flatMap(({ id, inA }): DocumentId[] => (inA === (side === 0) ? [asDocumentId(id)] : []))
      return ids.length === 0 ? new Map<DocumentId, DescribedDocument>() : await corpus.describe(ids)
    })
    const [ofA, onlyInB] = await Promise.all(asked)
    for (const member of batch) count(member, (member.inA ? ofA! : onlyInB!).get(asDocumentId(member.id)))
  }
  const documents = [a.length, b.length] as const
  return {
    ...{ documents, common, jaccard: jaccardOf(documents, common), unlabelled: unlabelled as [number, number] },
    cells: [...cells.values()]
      .map((cell) => cell as unknown as CellOverlap)
      .sort((one, other) => eitherOf(other) - eitherOf(one) || (one.labels.join() < other.labels.join() ? -1 : 1)),
  }
}

const eitherOf = ({ documents: [a, b], common }: CellOverlap): number => a + b - common

function* batchesOf(members: Iterable<Member>): Generator<readonly Member[]> {
  let batch: Member[] = []
  for (const member of members) {
    batch.push(member)
    if (batch.length < batchDocuments) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
