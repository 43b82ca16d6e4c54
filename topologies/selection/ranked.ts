import type { DocumentCondition } from './conditions.ts'
import type { Group } from './groups.ts'
import { type Standardization, standardized } from './moments.ts'
import { decayed, type ScoreOf } from './score.ts'
import type { Sampler } from './strategy.ts'
import type { Seed } from './u64.ts'

/** S(x) of `score: label`: the actor's label score, perhaps standardized, times the sign, decayed by reads. */
export interface LabelScore {
  readonly actor: number
  readonly sign: 1 | -1
  /** null: the score itself. */
  readonly standardization: Standardization | null
  readonly repetitionDecay: number
}

/** How documents that cells alone do not decide are ordered: by g descending, then key ascending (SELECTION.md, "Strategies"). */
export interface Ranking {
  /** Those of the pool that a cell does not decide. */
  readonly conditions: readonly DocumentCondition[]
  /** By a document's label score, or by its group. */
  readonly score: LabelScore | ScoreOf
  /** The actors, by index, whose label scores are looked at. */
  readonly scored: readonly number[]
  readonly sampler: Sampler
  /** Of the round's draw "select". */
  readonly seed: Seed
}

/** What a budget takes of ranked documents. */
export interface RankedCut {
  readonly groups: readonly Group[]
  readonly ranking: Ranking
  /** The documents that are taken without having been ranked exactly; null: all that are taken are in `ids`. */
  readonly sure: Sure | null
  readonly ids: BigUint64Array
  readonly documents: number
  readonly tokens: number
  /** g of the last document taken; null if there is none. */
  readonly threshold: number | null
  /** The key of that document: of those with the same g, the ones whose key is at most this are taken. */
  readonly keyLast: bigint | null
  /** See `Prefix`. */
  readonly refined: number
}

/** Documents whose approximate g is above a value, or equal to it with a key below `keyEnd`. */
export interface Sure {
  readonly above: number
  readonly keyEnd: bigint | null
}

/** S(x) of a document with this label score. */
export function scoreOfLabel(label: LabelScore, score: number, reads: number): number {
  const { sign, standardization: ofCorpus, repetitionDecay } = label
  return decayed(sign * (ofCorpus === null ? score : standardized(score, ofCorpus)), repetitionDecay, reads)
}
