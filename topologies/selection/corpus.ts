import type { Group } from './groups.ts'
import type { Remaining } from './plan.ts'

/**
 * What the budget takes of a level: the documents of these groups whose key(id, seed) is at most `keyLast`. Distinct ids have distinct
 * keys, so this says it exactly, however many they are.
 */
export interface Cut {
  groups: readonly Group[]
  seed: bigint
  /** null where nothing is taken. */
  keyLast: bigint | null
  documents: number
  tokens: number
}

/** One view of the corpus, fixed as of given label offsets and read counts. In memory and in SQL, with the same answers. */
export interface Corpus {
  /** All groups that have documents, in any order. */
  groups(): Promise<Group[]>

  /** The `count` documents of an actor's subcategory with the smallest (key(id, seed), id), in that order; all where there are fewer. */
  sample(actorIndex: number, subcategory: number, seed: bigint, count: number): Promise<bigint[]>

  /**
   * Of the documents of these groups the ones with the smallest (key(id, seed), id), until `remaining` is reached: so many documents,
   * or the shortest prefix whose tokens reach it.
   */
  cut(groups: readonly Group[], seed: bigint, remaining: Remaining): Promise<Cut>

  /** The documents of whole groups and of a cut in order of (orderKey(id, orderSeed), id), in chunks. */
  emit(whole: readonly Group[], cut: Cut, orderSeed: bigint): AsyncIterable<BigUint64Array>
}
