import type { DocumentId } from '../../schemas/index.ts'
import { WinnowError } from '../errors.ts'
import type { DescribedDocument } from '../selection/corpus.ts'
import type { Group } from '../selection/groups.ts'

/** A reward of a round that was answered for an actor's sample. */
export interface Answer {
  /** By index, in configuration order. */
  readonly actor: number
  readonly docId: DocumentId
  readonly reward: number
}

/** Answers drawn evenly from what an actor's subcategory holds; together at `first`, `first + 1`, .. of the sample. */
export interface SampleStratum {
  readonly first: number
  readonly count: number
  /** Documents that the answers were drawn from. */
  readonly held: number
}

/**
 * Rewards of a round that stand for the whole corpus. Actors and subcategories were sampled evenly, whatever they hold, so each answer has the
 * inverse of its document's expected number of answers as its weight: 1 / sum over actors of (answers of its subcategory / documents of it),
 * the single-frame estimator of Kalton and Anderson (1986). A document that two actors drew counts twice, with half the weight.
 */
export interface EvaluationSample {
  /** The histogram that the round selected from. */
  readonly groups: readonly Group[]
  readonly docIds: readonly DocumentId[]
  readonly documents: readonly DescribedDocument[]
  /** Of each answer, the index of its document's group. */
  readonly groupOf: Uint32Array
  readonly weights: Float64Array
  readonly rewards: Float64Array
  readonly strata: readonly SampleStratum[]
  /** The actors, by index, whose label scores the documents have, in that order. */
  readonly scored: readonly number[]
}

/**
 * @param actors how many the run had in this round; labels are in their order
 * @param answers in any order; the sample has them by actor, subcategory and document
 * @param described of each answered document, as of the same offsets as the groups
 */
export function evaluationSample(
  actors: number,
  groups: readonly Group[],
  answers: readonly Answer[],
  described: ReadonlyMap<DocumentId, DescribedDocument>,
  scored: readonly number[] = [],
): EvaluationSample {
  const held = Array.from({ length: actors }, () => new Map<number, number>())
  for (const { labels, documents } of groups)
    for (const [a, of] of held.entries()) of.set(labels[a]!, (of.get(labels[a]!) ?? 0) + documents)
  const documentOf = (docId: DocumentId) => {
    const found = described.get(docId)
    if (found !== undefined) return found
    throw new WinnowError('GUARANTEE_VIOLATED', `document ${docId} was sampled but takes no part in its round`)
  }
  const ordered = answers
    .map((answer) => ({ ...answer, document: documentOf(answer.docId) }))
    .sort((a, b) => a.actor - b.actor || label(a) - label(b) || (a.docId < b.docId ? -1 : 1))
  const strata: SampleStratum[] = []
  const counts = Array.from({ length: actors }, () => new Map<number, number>())
  for (const [i, { actor, document }] of ordered.entries()) {
    const j = document.labels[actor]!
    const before = counts[actor]!.get(j) ?? 0
    counts[actor]!.set(j, before + 1)
    const drawnFrom = held[actor]!.get(j) ?? 0
    if (before === 0) strata.push({ first: i, count: 1, held: drawnFrom })
    else strata[strata.length - 1] = { ...strata.at(-1)!, count: before + 1 }
  }
  const indexOf = new Map(groups.map(({ labels, reads }, g) => [`${labels.join()};${reads}`, g]))
  const expected = ({ labels }: DescribedDocument) =>
    counts.reduce((sum, ofActor, a) => sum + (ofActor.get(labels[a]!) ?? 0) / held[a]!.get(labels[a]!)!, 0)
  return {
    groups,
    docIds: ordered.map(({ docId }) => docId),
    documents: ordered.map(({ document }) => document),
    groupOf: Uint32Array.from(ordered, ({ docId, document: { labels, reads } }) => {
      const g = indexOf.get(`${labels.join()};${reads}`)
      if (g !== undefined) return g
      throw new WinnowError(
        'GUARANTEE_VIOLATED',
        `document ${docId} is in no group of its round: ${labels.join()};${reads}`,
      )
    }),
    weights: Float64Array.from(ordered, ({ document }) => 1 / expected(document)),
    rewards: Float64Array.from(ordered, ({ reward }) => reward),
    strata,
    scored,
  }
}

const label = ({ actor, document }: { actor: number; document: DescribedDocument }): number => document.labels[actor]!
