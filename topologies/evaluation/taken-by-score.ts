import type { SelectionConfig } from '../selection/config.ts'
import type { Corpus } from '../selection/corpus.ts'
import { actorIndex, documentConditions, groupsOfPool } from '../selection/pool.ts'
import { scoreOfLabel } from '../selection/ranked.ts'
import { labelScore } from '../selection/ranking.ts'
import { readsMost } from '../selection/reads.ts'
import { scoreOf } from '../selection/score.ts'
import { amountOf, sharesByStratum } from '../selection/strata.ts'
import type { Sampler, Strategy } from '../selection/strategy.ts'
import type { EvaluationSample } from './sample.ts'

/**
 * How probably a strategy that looks at documents takes each of the sample's. Pool and scores are those of the corpus, exactly; where the budget
 * cuts is estimated from the weighted sample. Under the sampler gumbel a document is in with probability 1 - exp(-exp(S / t - c)), the limit of
 * its draw for many documents.
 */
export async function takenByScore(
  sample: EvaluationSample,
  corpus: Corpus,
  config: SelectionConfig,
  strategy: Strategy,
  round: number,
  state: { readonly weights: readonly (readonly number[])[]; readonly theta: readonly number[] },
): Promise<Float64Array> {
  const { groups, groupOf, documents, weights } = sample
  const columnOf = new Map(sample.scored.map((a, i) => [a, i]))
  const conditions = await documentConditions(strategy.pool, config.actors, corpus, amountOf(groups).documents)
  const ofLabel = await labelScore(corpus, config, strategy)
  const ofCell = strategy.score.kind === 'actors' ? scoreOf(config, round, state.weights, state.theta) : () => 0
  const allowed = new Set(groupsOfPool(strategy.pool, config.actors, [...groups]))
  const scores = Float64Array.from(documents, ({ labels, reads, tokens, scores }, i) => {
    const scoreOfActor = (a: number) => scores[columnOf.get(a)!]!
    const isOut = !allowed.has(groups[groupOf[i]!]!) || reads >= readsMost(config)
    if (isOut || !conditions.every(({ holds }) => holds(tokens, scoreOfActor))) return Number.NaN
    return ofLabel === null ? ofCell(labels, reads) : scoreOfLabel(ofLabel, scoreOfActor(ofLabel.actor), reads)
  })
  const taken = new Float64Array(documents.length)
  const inTokens = 'tokens' in config.budget
  const { mixture } = strategy
  const a = mixture === undefined ? -1 : actorIndex(config.actors, mixture.actor)
  const strata = Array.from(mixture === undefined ? [0] : config.actors[a]!.subcategories.keys(), (j) =>
    [...documents.keys()].filter((i) => !Number.isNaN(scores[i]!) && (a === -1 || documents[i]!.labels[a] === j)),
  )
  // The weights add up to about the number of documents; exactly, so that a budget means the same.
  const scale = amountOf(groups).documents / weights.reduce((sum, weight) => sum + weight, 0)
  const amountAt = (i: number) => scale * weights[i]! * (inTokens ? documents[i]!.tokens : 1)
  const held = strata.map((members) => {
    const amount = members.reduce((sum, i) => sum + amountAt(i), 0)
    return { documents: amount, tokens: amount }
  })
  const shares = sharesByStratum(config.budget, mixture, held)
  for (const [s, members] of strata.entries())
    take(members, Math.min(shares[s]!, held[s]!.documents), scores, amountAt, strategy.sampler, taken)
  return taken
}

function take(
  members: readonly number[],
  quota: number,
  scores: Float64Array,
  amountAt: (i: number) => number,
  sampler: Sampler,
  taken: Float64Array,
): void {
  const held = members.reduce((sum, i) => sum + amountAt(i), 0)
  if (quota >= held) {
    for (const i of members) taken[i] = 1
    return
  }
  if (sampler.kind === 'gumbel') {
    const probability = (i: number, c: number) => -Math.expm1(-Math.exp(scores[i]! / sampler.temperature - c))
    const c = rootOf((at) => members.reduce((sum, i) => sum + amountAt(i) * probability(i, at), 0) - quota)
    for (const i of members) taken[i] = probability(i, c)
    return
  }
  const levels = [...Map.groupBy(members, (i) => scores[i]!)].sort(([x], [y]) => y - x)
  let left = quota
  for (const [, level] of levels) {
    const amount = level.reduce((sum, i) => sum + amountAt(i), 0)
    const share = Math.max(0, Math.min(1, left / amount))
    for (const i of level) taken[i] = share
    left -= amount
  }
}

/** Where a falling function is 0, by bisection. */
function rootOf(falling: (at: number) => number): number {
  let [low, high] = [-1, 1]
  while (falling(low) < 0 && low > -1e300) low *= 2
  while (falling(high) > 0 && high < 1e300) high *= 2
  for (let step = 0; step < 200 && high - low > 1e-12 * Math.max(1, Math.abs(low)); step++) {
    const middle = (low + high) / 2
    if (falling(middle) > 0) low = middle
    else high = middle
  }
  return (low + high) / 2
}
