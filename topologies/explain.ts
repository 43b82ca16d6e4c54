import type { Manifest } from '../schemas/index.ts'
import { WinnowError } from './errors.ts'
import type { SelectionConfig } from './selection/config.ts'
import { key } from './selection/draw.ts'
import { scoreOf, undecayed } from './selection/score.ts'
import { seedOf } from './selection/u64.ts'

/** What a document was when a round selected. */
export interface ExplainedDocument {
  readonly docId: bigint
  /** Subcategory of each actor, in configuration order. */
  readonly labels: readonly number[]
  /** How often this run's trainer had read it; 0 where the run does not count. */
  readonly reads: number
  /** Whether its record and all labels stood before the round's offsets. */
  readonly tookPart: boolean
}

export interface Explanation {
  readonly round: number
  readonly verdict: 'selected' | 'below the threshold' | 'lost the draw among equals' | 'not there yet' | 'already read'
  /** S(x) of Eq. 6. */
  readonly score: number
  readonly threshold: number | null
  /** What each actor adds, theta times weight. Its theta is what counted: by the run's collaboration it may be 1, or 0 for an actor left out. */
  readonly contributions: readonly { actor: string; subcategory: string; theta: number; weight: number }[]
  /** What would have turned the verdict, in words. */
  readonly flip: string
}

/**
 * Why a document was or was not selected in a round, out of its manifest: nothing is computed that the log does not hold.
 * @throws WinnowError CONFIGURATION where the run selects by a strategy: what this says is about the actors' scores alone
 */
export function explain(config: SelectionConfig, manifest: Manifest, document: ExplainedDocument): Explanation {
  if (config.strategy !== undefined) {
    throw new WinnowError('CONFIGURATION', `run ${manifest.run} selects by a strategy, which cannot be explained yet`, {
      hint: 'Its manifests say what each stratum gave and where it was cut: winnow tail run.NAME.console-state.',
    })
  }
  const { round, theta, weights, threshold, marginal } = manifest
  const scoreAt = scoreOf(config, round, weights, theta)
  const score = scoreAt(document.labels, document.reads)
  const contributions = config.actors.map(({ name, subcategories }, a) => ({
    actor: name,
    subcategory: subcategories[document.labels[a]!]!,
    theta: factorOf(config, manifest, document.labels, a),
    weight: weights[a]![document.labels[a]!]!,
  }))
  const is = (verdict: Explanation['verdict'], flip: string): Explanation => ({
    round,
    verdict,
    score,
    threshold,
    contributions,
    flip,
  })
  if (!document.tookPart) return is('not there yet', 'an earlier ingest: its labels came after this round looked')
  if (config.repeat === 'exclude' && document.reads > 0) return is('already read', 'repeat: allow')
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

/** By how much one actor's weight counts in the score: the score that a weight of 1 for it, and of 0 for all others, would give. */
function factorOf(config: SelectionConfig, { round, weights, theta }: Manifest, labels: readonly number[], a: number) {
  const alone = weights.map((ofActor, b) => ofActor.map(() => (b === a ? 1 : 0)))
  return scoreOf(config, round, alone, theta)(labels, 0)
}

const formatNumber = (value: number): string => value.toPrecision(4)

/**
 * The least change of one actor's weight that lifts the score to the threshold.
 * @param missing what the weighted sum, before the decay by reads, falls short by
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
