import type { DocumentId, Manifest } from '../schemas/index.ts'
import type { SelectionConfig } from './selection/config.ts'
import { key } from './selection/draw.ts'
import { repetitionsInWords } from './selection/guards-config.ts'
import { cellIndex } from './selection/joint-cells.ts'
import { jointCells } from './selection/joint-config.ts'
import { scoreOf, undecayed } from './selection/score.ts'
import { seedOf } from './selection/u64.ts'

/** A document at the time of a round's selection. */
export interface ExplainedDocument {
  readonly docId: DocumentId
  /** Subcategory of each actor, in configuration order. */
  readonly labels: readonly number[]
  /** How often this run's trainer had read it; 0 if the run does not count reads. */
  readonly reads: number
  /** Whether its record and all labels were before the round's offsets, and no list excluded it there. */
  readonly tookPart: boolean
  /** The lists that excluded it there, if it would have taken part but for them. */
  readonly excludedBy?: readonly string[]
  /**
   * If it would have taken part but for its near duplicates: those with smaller ids that did, of a crowd that was full. None: it had no sketch there.
   * Left out: it was not that.
   */
  readonly crowdedBy?: readonly DocumentId[]
  readonly tokens: number
  /** Its label's score for each actor, in configuration order. */
  readonly scores: readonly number[]
}

export interface Explanation {
  readonly round: number
  readonly verdict:
    | 'selected'
    | 'below the threshold'
    | 'lost the draw among equals'
    | 'not there yet'
    | 'excluded'
    | 'a near duplicate'
    | 'already read'
    | 'not in the pool'
  /** S(x) of Eq. 6. */
  readonly score: number
  readonly threshold: number | null
  /** What each actor adds: theta times weight. Theta is the effective one: depending on `collaboration` it may be 1, or 0 for an actor left out. */
  readonly contributions: readonly { actor: string; subcategory: string; theta: number; weight: number }[]
  /** What would have changed the verdict, in words. */
  readonly flip: string
}

/** Why a document was or was not selected in a round of a run without a strategy, from its manifest alone. */
export function explain(config: SelectionConfig, manifest: Manifest, document: ExplainedDocument): Explanation {
  const { round, theta, weights, threshold, marginal } = manifest
  const scoreAt = scoreOf(config, round, weights, theta)
  const score = scoreAt(document.labels, document.reads)
  const contributions = scoreParts(config, manifest, document.labels)
  const is = (verdict: Explanation['verdict'], flip: string): Explanation => ({
    round,
    verdict,
    score,
    threshold,
    contributions,
    flip,
  })
  const out = leftOut(config, document)
  if (out !== undefined) return is(...out)
  if (threshold === null) return is('below the threshold', 'nothing was selected in this round')
  if (score < threshold)
    return is(
      'below the threshold',
      shortfall(
        undecayed(threshold, config.repetitionDecay, document.reads) - scoreAt(document.labels, 0),
        contributions,
      ),
    )
  if (score > threshold || marginal === null) return is('selected', surplus(score - threshold, marginal))
  const drawn = key(document.docId, seedOf(config.seed, round, 'select'))
  if (marginal.keyLast !== null && drawn <= marginal.keyLast) {
    return is(
      'selected',
      `the draw: ${marginal.taken} of ${marginal.documents} documents of this score were taken, by the seed`,
    )
  }
  return is(
    'lost the draw among equals',
    `the draw: only ${marginal.taken} of ${marginal.documents} documents of this score were taken, by the seed`,
  )
}

/** Why a document could not be selected whatever its score; undefined: it could. */
export function leftOut(
  { repeat, guards, duplicates }: SelectionConfig,
  { tookPart, excludedBy = [], crowdedBy, reads }: ExplainedDocument,
): [Explanation['verdict'], flip: string] | undefined {
  if (excludedBy.length > 0) return ['excluded', `being taken off ${excludedBy.join(' and ')} before the round opened`]
  if (crowdedBy?.length === 0) return ['not there yet', 'an earlier sketch: winnow run duplicates makes them']
  if (crowdedBy !== undefined)
    return [
      'a near duplicate',
      `duplicates.atMost above ${duplicates?.atMost}: ${crowdedBy.join(', ')} ${crowdedBy.length === 1 ? 'shares' : 'share'} text with it and came first`,
    ]
  if (!tookPart) return ['not there yet', 'an earlier ingest: its labels came after this round was opened']
  if (repeat === 'exclude' && reads > 0) return ['already read', 'repeat: allow']
  const { repetitions } = guards ?? {}
  if (repetitions !== undefined && reads >= repetitions.most)
    return ['already read', `more repetitions: ${repetitionsInWords(repetitions)}`]
  return undefined
}

export const contributionsOf = (
  config: SelectionConfig,
  manifest: Manifest,
  labels: readonly number[],
): Explanation['contributions'] =>
  config.actors.map(({ name, subcategories }, a) => ({
    actor: name,
    subcategory: subcategories[labels[a]!]!,
    theta: factorOf(config, manifest, labels, a),
    weight: manifest.weights[a]![labels[a]!]!,
  }))

/** The contributions of a round, with the residual of the document's cell where a joint fit has them: they add up to the score, before the decay by reads. */
export function scoreParts(
  config: SelectionConfig,
  manifest: Manifest,
  labels: readonly number[],
): Explanation['contributions'] {
  const actors = contributionsOf(config, manifest, labels)
  const residuals = jointCells(config) === undefined ? undefined : manifest.weights[config.actors.length]
  if (residuals === undefined) return actors
  const isRandom = manifest.round === 0 && config.firstSelection === 'random'
  const weight = residuals[cellIndex(config.actors, labels)]!
  return [...actors, { actor: 'residual', subcategory: 'of the cell', theta: isRandom ? 0 : 1, weight }]
}

/** The factor of one actor's weight in the score: the score with a weight of 1 for it and 0 for all others. */
function factorOf(config: SelectionConfig, { round, weights, theta }: Manifest, labels: readonly number[], a: number) {
  const alone = weights.map((ofActor, b) => ofActor.map(() => (b === a ? 1 : 0)))
  return scoreOf(config, round, alone, theta)(labels, 0)
}

export const formatNumber = (value: number): string => value.toPrecision(4)

/**
 * The smallest change of one actor's weight that lifts the score to the threshold.
 * @param missing by how much the weighted sum, before the decay by reads, falls short
 */
function shortfall(missing: number, contributions: Explanation['contributions']): string {
  const useful = contributions.filter(({ theta }) => theta > 0)
  const strongest = useful.reduce<(typeof useful)[number] | undefined>(
    (best, one) => (best === undefined || one.theta > best.theta ? one : best),
    undefined,
  )
  if (strongest === undefined) return `a weighted sum higher by ${formatNumber(missing)}`
  const { actor, subcategory, theta, weight } = strongest
  return `a weighted sum higher by ${formatNumber(missing)}: for example a weight of ${formatNumber(weight + missing / theta)} instead of ${formatNumber(weight)} for ${actor} ${subcategory}`
}

function surplus(margin: number, marginal: Manifest['marginal']): string {
  if (margin > 0) return `a score lower by more than ${formatNumber(margin)}`
  return marginal === null ? 'a smaller budget' : `a score lower than ${formatNumber(marginal.score)}`
}
