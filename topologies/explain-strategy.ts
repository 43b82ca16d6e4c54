import type { Manifest, Stratum } from '../schemas/index.ts'
import { type ExplainedDocument, type Explanation, formatNumber, leftOut, scoreParts } from './explain.ts'
import type { DocumentCondition } from './selection/conditions.ts'
import type { SelectionConfig } from './selection/config.ts'
import type { Corpus } from './selection/corpus.ts'
import { key } from './selection/draw.ts'
import { guardAmount, guardStrata } from './selection/guards.ts'
import { type GuardRule, guardInWords, guardRules } from './selection/guards-config.ts'
import { naturalShare, otherBoundInWords } from './selection/other-bound.ts'
import { actorIndex, documentConditions } from './selection/pool.ts'
import { rank } from './selection/prefix.ts'
import { type LabelScore, scoreOfLabel } from './selection/ranked.ts'
import { labelScore } from './selection/ranking.ts'
import { scoreOf } from './selection/score.ts'
import type { Strategy } from './selection/strategy.ts'
import { seedOf } from './selection/u64.ts'

/** What a round's strategy says of any document; what it depends on in the corpus as of that round has been looked up. */
export interface RoundOfStrategy {
  readonly conditions: readonly DocumentCondition[]
  readonly labelScore: LabelScore | null
}

/** @param corpus as of the round; it is asked for quantiles and moments of scores if the strategy uses them */
export async function roundOfStrategy(
  config: SelectionConfig,
  strategy: Strategy,
  corpus: Pick<Corpus, 'groups' | 'scoresAt' | 'scoreSums'>,
): Promise<RoundOfStrategy> {
  const counts = strategy.pool.some((condition) => 'quantiles' in condition)
  const documents = counts ? (await corpus.groups()).reduce((sum, group) => sum + group.documents, 0) : 0
  return {
    conditions: await documentConditions(strategy.pool, config.actors, corpus, documents),
    labelScore: await labelScore(corpus, config, strategy),
  }
}

/** As `explain`, for a run with a strategy. `score` and `threshold` are rank values: S, or S / temperature + G of the key. */
export function explainStrategy(
  config: SelectionConfig,
  strategy: Strategy,
  manifest: Manifest,
  document: ExplainedDocument,
  round: RoundOfStrategy,
): Explanation {
  const { labels, reads, tokens, scores } = document
  const { theta, weights } = manifest
  const labelScoreOf = (actor: number) => scores[actor]!
  const drawn = key(document.docId, seedOf(config.seed, manifest.round, 'select'))
  const byActors = strategy.score.kind === 'actors'
  const ofCell = byActors ? scoreOf(config, manifest.round, weights, theta)(labels, reads) : 0
  const { labelScore: label } = round
  const own = label === null ? ofCell : scoreOfLabel(label, labelScoreOf(label.actor), reads)
  const score = rank(own, drawn, strategy.sampler)
  const { ranked: stratum, natural } = strataOf(config, strategy, manifest, labels)
  // Of another kind of score the actors are no part.
  const contributions = scoreParts(config, manifest, labels).map((one) => (byActors ? one : { ...one, theta: 0 }))
  const threshold = stratum?.threshold ?? null
  const guards = guardsAtWork(config, manifest, labels)
  const is = (verdict: Explanation['verdict'], flip: string): Explanation => {
    const decided = guards[verdict === 'selected' ? 'floors' : 'caps']
    const isByGuard = ['selected', 'below the threshold', 'lost the draw among equals'].includes(verdict)
    const words = isByGuard && decided.length > 0 ? `${decided.map(guardInWords).join(', ')}; ${flip}` : flip
    return { ...{ round: manifest.round, verdict, score, threshold, contributions }, flip: words }
  }

  const out = leftOut(config, document)
  if (out !== undefined) return is(...out)
  const outside = subcategoryOutside(config, strategy, labels)
  if (outside !== undefined) return is('not in the pool', outside)
  const failed = round.conditions.find(({ holds }) => !holds(tokens, labelScoreOf))
  if (failed !== undefined) return is('not in the pool', `${failed.says}; ${valuesOf(config, strategy, document)}`)
  if (natural !== undefined && (threshold === null || score < threshold)) {
    const [verdict, flip] = naturally(config, natural, drawn)
    return is(verdict, flip)
  }
  if (stratum === undefined || threshold === null)
    return is('below the threshold', nothingTaken(config, strategy, stratum))
  const draw = `the draw: ${stratum.documents} of ${stratum.heldDocuments} documents of ${placeOf(config, strategy, stratum)} were taken, by the seed`
  if (score < threshold) {
    const { sampler } = strategy
    if (strategy.score.kind === 'zero') return is('below the threshold', draw)
    const missing = (threshold - score) * (sampler.kind === 'gumbel' ? sampler.temperature : 1)
    return is('below the threshold', `a score of ${formatNumber(own + missing)} instead of ${formatNumber(own)}`)
  }
  if (score > threshold) {
    if (strategy.score.kind === 'zero') return is('selected', draw)
    return is('selected', `a rank value lower by more than ${formatNumber(score - threshold)}`)
  }
  if (stratum.documents === stratum.heldDocuments) return is('selected', 'a smaller budget: all of its kind were taken')
  const taken = stratum.keyLast === null || drawn <= stratum.keyLast
  return is(taken ? 'selected' : 'lost the draw among equals', draw)
}

/** The stratum of documents with these labels, and what of it the natural share was drawn from. */
function strataOf(
  config: SelectionConfig,
  { mixture }: Strategy,
  { strata }: Manifest,
  labels: readonly number[],
): { ranked?: Stratum | undefined; natural?: Stratum | undefined } {
  const { actors } = config
  const rules = guardRules(config)
  const isNatural = naturalShare(config) > 0
  if (rules.length > 0 || isNatural) {
    const { of, count } = guardStrata(config, rules)
    return { ranked: strata?.[of(labels)], ...(isNatural && { natural: strata?.[count + of(labels)] }) }
  }
  const subcategory = mixture === undefined ? null : labels[actorIndex(actors, mixture.actor)]!
  return { ranked: strata?.find((stratum) => stratum.subcategory === subcategory) }
}

/** Of a document that no score has taken, whether the natural share has. */
function naturally(
  config: SelectionConfig,
  { documents, heldDocuments, keyLast }: Stratum,
  drawn: bigint,
): [Explanation['verdict'], string] {
  const share = `the natural mixture, ${Number((naturalShare(config) * 100).toFixed(2))}% of the budget (${guardsOther(config)})`
  const draw = `${documents} of the ${heldDocuments} documents that no score took were drawn for it, by the seed`
  const isTaken = documents === heldDocuments || (keyLast !== null && drawn <= keyLast)
  if (isTaken) return ['selected', `${share}: ${draw}`]
  return ['below the threshold', `a higher score, or the draw of ${share}: ${draw}`]
}

const guardsOther = ({ guards }: SelectionConfig): string => otherBoundInWords(guards!.other!)

/** The guards of a document's subcategories that were reached: floors up to which they were taken, and caps beyond which they were not. */
function guardsAtWork(config: SelectionConfig, { strata }: Manifest, labels: readonly number[]) {
  const rules = guardRules(config)
  const index = guardStrata(config, rules)
  const isNatural = naturalShare(config) > 0
  const reached = rules.filter((rule) => {
    const under = index.under(rule)
    const quotaOf = (s: number) => (strata?.[s]?.quota ?? 0) + (isNatural ? (strata?.[index.count + s]?.quota ?? 0) : 0)
    const taken = under.reduce((sum, s) => sum + quotaOf(s), 0)
    return under.includes(index.of(labels)) && taken === guardAmount(config.budget, rule)
  })
  const of = (other: GuardRule['kind']) => reached.filter(({ kind }) => kind === other || kind === 'pin')
  return { floors: of('floor'), caps: of('cap') }
}

/** In words: the condition on subcategories that the document's cell does not meet. */
function subcategoryOutside({ actors }: SelectionConfig, { pool }: Strategy, labels: readonly number[]) {
  for (const condition of pool) {
    if (!('subcategories' in condition)) continue
    const a = actorIndex(actors, condition.actor)
    const own = actors[a]!.subcategories[labels[a]!]!
    if (!condition.subcategories.includes(own))
      return `${condition.actor} one of ${condition.subcategories.join(', ')}; it is ${own}`
  }
  return undefined
}

/** What the pool's conditions depend on. */
function valuesOf({ actors }: SelectionConfig, { pool }: Strategy, { tokens, scores }: ExplainedDocument): string {
  const values = pool.flatMap((condition) => {
    if ('tokensMin' in condition) return [`${tokens} tokens`]
    if ('subcategories' in condition) return []
    const a = actorIndex(actors, condition.actor)
    return [`${condition.actor} ${formatNumber(scores[a]!)}`]
  })
  return `it has ${values.join(', ')}`
}

const placeOf = ({ actors, ...config }: SelectionConfig, { mixture }: Strategy, { subcategory }: Stratum): string =>
  guardRules(config).length > 0
    ? 'the same guarded subcategories'
    : mixture === undefined
      ? 'the pool'
      : `${mixture.actor} ${actors[actorIndex(actors, mixture.actor)]!.subcategories[subcategory!]} in the pool`

function nothingTaken(config: SelectionConfig, strategy: Strategy, stratum: Stratum | undefined): string {
  if (stratum !== undefined && guardRules(config).length > 0)
    return 'other guards: nothing was taken of its guarded subcategories'
  if (stratum === undefined || strategy.mixture === undefined) return 'nothing was selected in this round'
  return `a larger share: nothing was taken of ${placeOf(config, strategy, stratum)}`
}
