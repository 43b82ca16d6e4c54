import type { SelectionConfig } from './config.ts'
import type { Corpus, Cut } from './corpus.ts'
import { histogramDigest } from './groups.ts'
import { planSelection } from './plan.ts'
import { scoreOf } from './score.ts'
import { seedOf } from './u64.ts'

/** A round's selection: what a manifest says about it, and the ids. */
export interface Selection {
  documents: number
  tokens: number
  /** The lowest score selected; null where nothing is. */
  threshold: number | null
  /** The level that the budget cuts, of how many groups and documents it is made, and how many documents are taken; null without a cut. */
  marginal: { score: number; groups: number; documents: number; taken: number; keyLast: bigint | null } | null
  /** See `histogramDigest`. */
  histogramDigest: string
  /** The ids in emission order, in chunks of the corpus's choice. To be read once. */
  ids: AsyncIterable<BigUint64Array>
}

const nothing: Cut = { groups: [], seed: 0n, keyLast: null, documents: 0, tokens: 0 }

/**
 * "Score", "Select" and "Emit" of SELECTION.md for one round: for the simulation, the live console and the replay alike.
 * @param weights w_A by actor in configuration order, after the round's update
 */
export async function select(
  corpus: Corpus,
  config: SelectionConfig,
  round: number,
  weights: readonly (readonly number[])[],
  theta: readonly number[],
): Promise<Selection> {
  const groups = await corpus.groups()
  const plan = planSelection(groups, scoreOf(config, round, weights, theta), config.budget, config.repeat)
  const { marginal, whole } = plan
  const cut =
    marginal === null
      ? nothing
      : await corpus.cut(marginal.groups, seedOf(config.seed, round, 'select'), marginal.remaining)
  return {
    documents: plan.wholeDocuments + cut.documents,
    tokens: plan.wholeTokens + cut.tokens,
    threshold: plan.threshold,
    marginal:
      marginal === null
        ? null
        : {
            score: marginal.score,
            groups: marginal.groups.length,
            documents: marginal.documents,
            taken: cut.documents,
            keyLast: cut.keyLast,
          },
    histogramDigest: histogramDigest(groups),
    ids: corpus.emit(whole, cut, seedOf(config.seed, round, 'order')),
  }
}
