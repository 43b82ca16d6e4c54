import type { Manifest } from '../schemas/index.ts'
import { contributionsOf, type ExplainedDocument, type Explanation } from './explain.ts'
import { type Answer, stretchesOf } from './rounds/ledger.ts'
import type { SelectionConfig } from './selection/config.ts'
import { scoreOf, undecayed } from './selection/score.ts'
import { asCode } from './selection/strategy.ts'

/** Where a document's weight by one actor comes from, in a round. */
export interface WeightSource {
  readonly actor: string
  readonly subcategory: string
  readonly theta: number
  /** After the round before; in the first round that the actor has, its initial weight. */
  readonly before: number
  readonly weight: number
  readonly eta: number
  /** Raw rewards of the subcategory in this round that its fold has used. */
  readonly rewards: {
    readonly count: number
    /** null without any. */
    readonly mean: number | null
    /** Population standard deviation. */
    readonly deviation: number | null
    readonly least: number | null
    readonly most: number | null
    /** Where they stand in the run's rewards: the first and last offset of each partition. */
    readonly offsets: readonly { readonly partition: number; readonly first: number; readonly last: number }[]
  }
}

/** Changes of one thing that would have turned the verdict, theta and threshold being as they were. */
export interface Flips {
  /** Other subcategories of one actor. */
  readonly labels: readonly { readonly actor: string; readonly subcategories: readonly string[] }[]
  /** By actor, the smallest change first: its weight instead of the one that it had. */
  readonly weights: readonly { readonly actor: string; readonly weight: number; readonly by: number }[]
  /**
   * By actor, the smallest change first: by how much one reward of the subcategory, as it was folded, would have to be another. Only where a reward moves
   * no other weight: not of joint weights, of weights that are normalized, or by the update of the authors' code.
   */
  readonly rewards: readonly { readonly actor: string; readonly by: number }[]
}

/**
 * The rewards behind a document's weights.
 * @param before weights after the round before, by actor in configuration order; undefined: there was none with the actor
 * @param answers of each actor that the round's fold has used
 */
export function weightSources(
  config: SelectionConfig,
  manifest: Manifest,
  { labels }: Pick<ExplainedDocument, 'labels'>,
  before: readonly (readonly number[] | undefined)[],
  answers: readonly (readonly Answer[])[],
): WeightSource[] {
  return contributionsOf(config, manifest, labels).map(({ actor, subcategory, theta, weight }, a) => {
    // A joint fit learns of a subcategory from the answers of all actors.
    const own =
      config.collaboration === 'joint'
        ? answers.flat().filter((answer) => answer.labels?.[a] === labels[a])
        : answers[a]!.filter((answer) => answer.subcategory === labels[a])
    const values = own.map(({ reward }) => reward)
    const mean = values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length
    return {
      ...{ actor, subcategory, theta, weight, eta: config.actors[a]!.eta },
      before: (before[a] ?? config.actors[a]!.initialWeights)[labels[a]!]!,
      rewards: {
        count: values.length,
        mean,
        deviation:
          mean === null ? null : Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length),
        least: mean === null ? null : values.reduce((least, value) => Math.min(least, value)),
        most: mean === null ? null : values.reduce((most, value) => Math.max(most, value)),
        offsets: stretchesOf(own),
      },
    }
  })
}

/**
 * What would have turned a verdict that the score decides. Nothing turns one by other reasons, and a document at the threshold depends on the draw.
 * @param sources see `weightSources`
 */
export function flipsOf(
  config: SelectionConfig,
  manifest: Manifest,
  document: ExplainedDocument,
  { verdict }: Pick<Explanation, 'verdict'>,
  sources: readonly WeightSource[],
): Flips {
  const { threshold, round, weights, theta } = manifest
  const isIn = verdict === 'selected'
  if (threshold === null || (!isIn && verdict !== 'below the threshold'))
    return { labels: [], weights: [], rewards: [] }
  const scoreAt = scoreOf(config, round, weights, theta)
  const turns = (score: number) => (isIn ? score < threshold : score > threshold)
  const labels = config.actors.map(({ name, subcategories }, a) => ({
    actor: name,
    subcategories: subcategories.filter((_, j) => turns(scoreAt(document.labels.with(a, j), document.reads))),
  }))
  // Of the weighted sum, before the decay by reads.
  const missing = undecayed(threshold, config.repetitionDecay, document.reads) - scoreAt(document.labels, 0)
  const movable = sources.filter((source) => source.theta !== 0)
  return {
    labels: labels.filter(({ subcategories }) => subcategories.length > 0),
    weights: smallestFirst(
      movable.map(({ actor, theta: factor, weight }) => ({
        actor,
        weight: weight + missing / factor,
        by: missing / factor,
      })),
    ),
    rewards: smallestFirst(
      movable.flatMap(({ actor, theta: factor, eta, rewards: { count } }) =>
        // Eq. 5: a reward moves the mean by 1 / count, and the weight by eta times that.
        count === 0 || eta === 0 || !movesOneWeight(config) ? [] : [{ actor, by: ((missing / factor) * count) / eta }],
      ),
    ),
  }
}

const smallestFirst = <T extends { readonly by: number }>(changes: readonly T[]): T[] =>
  changes.toSorted((a, b) => Math.abs(a.by) - Math.abs(b.by))

const movesOneWeight = ({ collaboration, normalize, strategy }: SelectionConfig): boolean =>
  collaboration !== 'joint' && normalize !== 'sum' && !asCode(strategy)
