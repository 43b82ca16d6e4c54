import type { SelectionConfig } from './config.ts'
import type { Corpus, Cut } from './corpus.ts'
import { type Group, histogramDigest } from './groups.ts'
import type { SelectionPlan } from './plan.ts'
import type { RankedCut } from './ranked.ts'
import { rankingOf } from './ranking.ts'
import { amountOf, planByCells, quotaOf, sharesByStratum, strataOfRound } from './strata.ts'
import { decidedByCells } from './strategy.ts'
import { type Seed, seedOf } from './u64.ts'

/** What was taken from one stratum of a mixture; without a mixture there is one. */
export interface StratumSelection {
  /** The subcategory of the mixture's actor; null without a mixture, and of guards (`guardStrata`). */
  subcategory: number | null
  /** What the pool holds of it. */
  held: { documents: number; tokens: number }
  /** In the budget's unit; null: all it holds, if that is less than its share. */
  quota: number | null
  documents: number
  tokens: number
  /** The lowest rank value (S, or g of the sampler gumbel) taken; null if nothing is. */
  threshold: number | null
  /** The level that the budget cuts, see `Selection.marginal`; null without a cut, or if documents are ranked one by one. */
  marginal: Marginal | null
  /** Of the documents with the lowest rank value taken, those whose key is at most this were; null: all of them. */
  keyLast: bigint | null
  /** Documents whose rank had to be computed exactly; 0 if cells decide. */
  refined: number
}

/** The level that the budget cuts: its groups and documents, and how many documents are taken. */
export interface Marginal {
  score: number
  groups: number
  documents: number
  taken: number
  keyLast: bigint | null
}

/** A round's selection: what a manifest says about it, and the ids. */
export interface Selection {
  documents: number
  tokens: number
  strata: StratumSelection[]
  /** See `histogramDigest`. */
  histogramDigest: string
  /** The ids in emission order, in chunks of the corpus's choice. To be read once. */
  ids: AsyncIterable<BigUint64Array>
}

/**
 * "Score", "Select", "Strategies" and "Emit" of SELECTION.md for one round, in simulation, live console and replay alike. If cells alone
 * decide, only the histogram and the ranges of one cut per stratum are read; otherwise the documents of the pool are ranked.
 * @param weights w_A by actor in configuration order, after the round's update
 */
export async function select(
  corpus: Corpus,
  config: SelectionConfig,
  round: number,
  weights: readonly (readonly number[])[],
  theta: readonly number[],
): Promise<Selection> {
  const all = await corpus.groups()
  const ofRound = strataOfRound(config, round, weights, theta, all)
  const seeds = { select: seedOf(config.seed, round, 'select'), order: seedOf(config.seed, round, 'order') }
  const selected = decidedByCells(ofRound.strategy)
    ? await selectByCells(corpus, config, ofRound, seeds)
    : await selectByDocuments(corpus, config, ofRound, seeds, all)
  return {
    documents: selected.strata.reduce((sum, { documents }) => sum + documents, 0),
    tokens: selected.strata.reduce((sum, { tokens }) => sum + tokens, 0),
    histogramDigest: histogramDigest(all),
    ...selected,
  }
}

type Seeds = { select: Seed; order: Seed }
type Selected = Pick<Selection, 'strata' | 'ids'>
type OfRound = ReturnType<typeof strataOfRound>

const recordedQuota = (share: number): number | null => (Number.isFinite(share) ? share : null)

async function selectByCells(
  corpus: Corpus,
  config: SelectionConfig,
  ofRound: OfRound,
  seeds: Seeds,
): Promise<Selected> {
  const whole: Group[] = []
  const cuts: Cut[] = []
  const strata: StratumSelection[] = []
  for (const { subcategory, held, share, plan } of planByCells(config, ofRound)) {
    const cut = plan.marginal && (await corpus.cut(plan.marginal.groups, seeds.select, plan.marginal.remaining))
    whole.push(...plan.whole)
    if (cut !== null) cuts.push(cut)
    strata.push({
      subcategory,
      held,
      quota: recordedQuota(share),
      documents: plan.wholeDocuments + (cut?.documents ?? 0),
      tokens: plan.wholeTokens + (cut?.tokens ?? 0),
      threshold: plan.threshold,
      marginal: marginalOf(plan, cut),
      keyLast: cut?.keyLast ?? null,
      refined: 0,
    })
  }
  return { strata, ids: corpus.emit(whole, cuts, seeds.order) }
}

function marginalOf({ marginal }: SelectionPlan, cut: Cut | null): Marginal | null {
  if (marginal === null || cut === null) return null
  const { score, groups, documents } = marginal
  return { score, groups: groups.length, documents, taken: cut.documents, keyLast: cut.keyLast }
}

async function selectByDocuments(
  corpus: Corpus,
  config: SelectionConfig,
  { strategy, strata, score }: OfRound,
  seeds: Seeds,
  all: readonly Group[],
): Promise<Selected> {
  const { budget } = config
  const takingPart = amountOf(all).documents
  const ranking = await rankingOf(corpus, config, strategy, score, takingPart, seeds.select)
  const groups = strata.map((stratum) => stratum.groups)
  const held = await corpus.held(groups, ranking.conditions)
  const shares = sharesByStratum(budget, strategy.mixture, held)
  const cuts: RankedCut[] = []
  for (const [i, ofStratum] of groups.entries())
    cuts.push(await corpus.ranked(ofStratum, ranking, quotaOf(budget, shares[i]!)))
  return {
    strata: cuts.map(({ documents, tokens, threshold, keyLast, refined }, i) => ({
      ...{ subcategory: strata[i]!.subcategory, held: held[i]!, quota: recordedQuota(shares[i]!) },
      ...{ documents, tokens, threshold, marginal: null, keyLast, refined },
    })),
    ids: corpus.emitRanked(cuts, seeds.order),
  }
}
