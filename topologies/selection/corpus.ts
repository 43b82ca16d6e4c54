import type { DocumentId } from '../../schemas/index.ts'
import type { DocumentCondition } from './conditions.ts'
import type { Group } from './groups.ts'
import type { ScoreSums } from './moments.ts'
import type { Remaining } from './plan.ts'
import type { RankedCut, Ranking } from './ranked.ts'
import type { Seed } from './u64.ts'

/**
 * What the budget takes of a level: the documents of these groups whose key(id, seed) is at most `keyLast`. Distinct ids have distinct
 * keys, so this is exact, however many documents there are.
 */
export interface Cut {
  groups: readonly Group[]
  seed: Seed
  /** null if nothing is taken. */
  keyLast: bigint | null
  documents: number
  tokens: number
}

export interface Amount {
  documents: number
  tokens: number
}

/** Documents in columns. */
export interface DocumentBlock {
  ids: BigUint64Array
  tokens: Float64Array
  /** Index into the groups asked for. */
  groups: Uint32Array
  /** A column for each actor asked for. */
  scores: readonly Float64Array[]
}

/** What a view knows of a document that takes part. */
export interface DescribedDocument {
  /** Its subcategory for each actor, in configuration order. */
  readonly labels: readonly number[]
  readonly reads: number
  readonly tokens: number
  /** Its labels' scores, for each actor asked for. */
  readonly scores: readonly number[]
}

/** A view of the corpus, as of given label offsets and read counts. In memory and in SQL, with the same results. */
export interface Corpus {
  /** All groups that have documents, in any order. */
  groups(): Promise<Group[]>

  /**
   * Of each of an actor's subcategories that has documents, by its number: the `count` documents with the smallest (key(id, seed), id), in that
   * order; all if there are fewer.
   */
  samples(actorIndex: number, seed: Seed, count: number): Promise<ReadonlyMap<number, DocumentId[]>>

  /**
   * The documents of these groups with the smallest (key(id, seed), id), until `remaining` is reached: that many documents, or the shortest
   * prefix whose tokens reach it.
   */
  cut(groups: readonly Group[], seed: Seed, remaining: Remaining): Promise<Cut>

  /** The documents of whole groups and of cuts, each once, in order of (orderKey(id, orderSeed), id), in chunks. */
  emit(whole: readonly Group[], cuts: readonly Cut[], orderSeed: Seed): AsyncIterable<BigUint64Array>

  /** What each stratum's groups hold of documents for which all conditions are true. */
  held(strata: readonly (readonly Group[])[], conditions: readonly DocumentCondition[]): Promise<Amount[]>

  /**
   * Of the documents of these groups that the ranking admits, the shortest prefix in its order that reaches `wanted`; all of them if they do
   * not.
   */
  ranked(groups: readonly Group[], ranking: Ranking, wanted: Remaining): Promise<RankedCut>

  /** The documents of ranked cuts that have none in common, in order of (orderKey(id, orderSeed), id), in chunks. */
  emitRanked(cuts: readonly RankedCut[], orderSeed: Seed): AsyncIterable<BigUint64Array>

  /** These documents; those that take no part are left out. */
  describe(
    ids: readonly DocumentId[],
    scoredActors?: readonly number[],
  ): Promise<ReadonlyMap<DocumentId, DescribedDocument>>

  /** Over all documents that take part: exact sums of an actor's scores. */
  scoreSums(actorIndex: number): Promise<ScoreSums>

  /** Over all documents that take part: an actor's scores of these ranks, counted from 1, ascending by score. */
  scoresAt(actorIndex: number, ranks: readonly number[]): Promise<number[]>
}
