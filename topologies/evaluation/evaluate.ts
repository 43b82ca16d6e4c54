import type { DocumentId, Estimate, Evaluation } from '../../schemas/index.ts'
import type { AcceptedRewards } from '../rounds/ledger.ts'
import type { SelectionConfig } from '../selection/config.ts'
import type { Corpus } from '../selection/corpus.ts'
import { heldOutOf } from '../selection/hold-out.ts'
import { seedOf } from '../selection/u64.ts'
import { differenceOf, intervalOf, type Policy, replicatesOf, type Taken } from './estimate.ts'
import { policiesOf, scoresWanted, theSelection, type Weights } from './policies.ts'
import { type EvaluationSample, evaluationSample } from './sample.ts'

/** Bootstrap replicates of an evaluation: intervals are good to about a hundredth of their width. */
export const replicates = 1000

export interface EvaluatedRound {
  readonly run: string
  /** The round whose weights are evaluated. */
  readonly round: number
  readonly on: Evaluation['on']
  /** As the round has it that asked for the rewards. */
  readonly config: SelectionConfig
  /** The round that asked for the rewards: this one, or the next. */
  readonly sampledIn: number
  /** Of that round, all that were accepted, actors in configuration order. */
  readonly rewards: readonly AcceptedRewards[]
  /** The corpus as of that round. */
  readonly corpus: Corpus
  readonly now: Weights
  /** Of the round before; undefined: there is none with the same actors. */
  readonly previous: Weights | undefined
}

/**
 * Rewards that no fold of these weights has used: those held out in the same round, or all of the next round; or those that are folded.
 * @param scored actors, by index, whose label scores are wanted too
 */
export async function sampleOf(
  {
    config,
    sampledIn,
    rewards,
    corpus,
    on,
  }: Pick<EvaluatedRound, 'config' | 'sampledIn' | 'rewards' | 'corpus'> & { on: Evaluation['on'] | 'folded' },
  scored: readonly number[] = [],
): Promise<EvaluationSample> {
  const isHeldOut = heldOutOf(config, sampledIn) ?? (() => false)
  const counts = (docId: DocumentId) => on === 'next-round' || isHeldOut(docId) === (on === 'held-out')
  const answers = rewards.flatMap((columns, actor) =>
    columns.docIds.flatMap((docId, i) => (counts(docId) ? [{ actor, docId, reward: columns.rewards[i]! }] : [])),
  )
  const ids = [...new Set(answers.map(({ docId }) => docId))]
  const [groups, described] = await Promise.all([corpus.groups(), corpus.describe(ids, scored)])
  return evaluationSample(config.actors.length, inOrder(groups), answers, described, scored)
}

/** Stores list groups in any order, and sums of floats depend on it. */
const inOrder = <T extends { labels: readonly number[]; reads: number }>(groups: readonly T[]): T[] =>
  [...groups].sort((a, b) => {
    const at = a.labels.findIndex((label, i) => label !== b.labels[i])
    return at === -1 ? a.reads - b.reads : a.labels[at]! - b.labels[at]!
  })

/** What a round's selection is worth, and what others would be: mean raw rewards of what they take, with intervals. The same bits everywhere. */
export async function evaluateRound(inputs: EvaluatedRound): Promise<Evaluation> {
  const { run, round, on, config, sampledIn, corpus, now, previous } = inputs
  const sample = await sampleOf(inputs, scoresWanted(config))
  const policies = await policiesOf(sample, corpus, config, sampledIn, now, previous)
  return {
    ...{ run, round, on, answers: sample.rewards.length },
    estimates: estimatesOf(sample, policies, seedOf(config.seed, sampledIn, 'bootstrap')),
  }
}

/** @param policies the first is the one that gains are against */
function estimatesOf(sample: EvaluationSample, policies: readonly Policy[], seed: Parameters<typeof replicatesOf>[2]) {
  const found = replicatesOf(sample, policies, seed, replicates)
  return policies.map(({ name, taken }, p): Estimate => {
    const value = intervalOf(found[p]!)
    const gain = intervalOf(differenceOf(found[p]!, found[0]!))
    return {
      ...{ policy: name, mean: value?.mean ?? null, low: value?.low ?? null, high: value?.high ?? null },
      ...{ gain: gain?.mean ?? null, gainLow: gain?.low ?? null, gainHigh: gain?.high ?? null },
      effective: effectiveAnswers(taken, sample),
    }
  })
}

/** Kish's effective number of answers: how many of equal weight would say as much. */
function effectiveAnswers(taken: Taken, { weights, groupOf, rewards }: EvaluationSample): number {
  const share =
    'byGroup' in taken
      ? (i: number) => taken.byGroup[groupOf[i]!]!
      : 'byAnswer' in taken
        ? (i: number) => taken.byAnswer[i]!
        : () => taken.best
  let sum = 0
  let squares = 0
  for (let i = 0; i < rewards.length; i++) {
    const weight = weights[i]! * share(i)
    sum += weight
    squares += weight * weight
  }
  return squares === 0 ? 0 : (sum * sum) / squares
}

export const estimateFor = (
  { estimates }: Pick<Evaluation, 'estimates'>,
  policy = theSelection,
): Estimate | undefined => estimates.find((one) => one.policy === policy)

/** Whether an estimate says that a choice is better than random: the interval of its gain is above zero. null: there is none. */
export const isBetter = ({ gainLow }: Pick<Estimate, 'gainLow'>): boolean | null =>
  gainLow === null ? null : gainLow > 0

/**
 * How many of the last rounds in a row have a selection that is not seen to be better than random. Rounds without an estimate do not count, nor
 * does round 0, which no reward has decided.
 */
export function roundsNoBetter(evaluations: Iterable<Evaluation>): number {
  const known = [...evaluations]
    .filter(({ round }) => round > 0)
    .sort((a, b) => a.round - b.round)
    .map((one) => isBetter(estimateFor(one) ?? { gainLow: null }))
    .filter((better) => better !== null)
  return known.length - 1 - known.lastIndexOf(true)
}
