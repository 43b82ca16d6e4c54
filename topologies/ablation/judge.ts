import {
  differenceOf,
  type Interval,
  intervalOf,
  type Policy,
  type Replicates,
  replicatesOf,
} from '../evaluation/estimate.ts'
import type { Weights } from '../evaluation/policies.ts'
import { theCorpus } from '../evaluation/policies.ts'
import type { EvaluationSample } from '../evaluation/sample.ts'
import { overlapOf, takenByCells } from '../evaluation/taken.ts'
import type { SelectionConfig } from '../selection/config.ts'
import { withNaturalShare } from '../selection/other-bound.ts'
import { seedOf } from '../selection/u64.ts'
import type { Refolded } from './refold.ts'
import type { Variant } from './variants.ts'

/** Bootstrap replicates: enough for two digits of an interval, over tens of variants. */
const replicates = 200

/** A round that is judged, and the rewards that its weights have not seen. */
export interface JudgedSample {
  readonly round: number
  readonly sampledIn: number
  /** Of the natural mixture in that round's selection; undefined: none was recorded. */
  readonly naturalShare: number | undefined
  readonly sample: EvaluationSample
}

interface Sums {
  readonly reward: Replicates[]
  readonly gain: Replicates[]
  readonly overlap: number[]
}

/** What a variant's selections are worth: means over the rounds, each of the same weight. */
export interface Judged {
  readonly name: string
  /** Mean reward of what it takes; null: no round has an answer of a document that it takes. */
  readonly reward: Interval | null
  /** The same less that of a document drawn at random. */
  readonly gain: Interval | null
  /** With the first variant's selections, by documents (Jaccard). */
  readonly overlap: number | null
  /** Why it has no later rounds; null: it has all. */
  readonly ended: string | null
}

/**
 * Judges variants by the same rewards and the same resampled answers, so that differences between them are not noise of the sample. Of a sample that was
 * added its replicates are kept, and not its answers.
 */
export class Judging {
  readonly #variants: readonly Variant[]
  readonly #refolded: readonly Refolded[]
  readonly #sums: readonly Sums[]

  /** @param refolded of each variant, up to the round of each sample when that is added; the first is what overlaps are with */
  constructor(variants: readonly Variant[], refolded: readonly Refolded[]) {
    this.#variants = variants
    this.#refolded = refolded
    this.#sums = variants.map(() => ({ reward: [], gain: [], overlap: [] }))
  }

  /** Rounds ascending; round 0 says nothing of an update. */
  add({ round, sampledIn, naturalShare, sample }: JudgedSample): void {
    const taken = this.#variants.map(({ config }, v) =>
      takenBy(withNaturalShare(config, naturalShare), sampledIn, this.#refolded[v]!.byRound.get(round), sample),
    )
    const policies = taken.flatMap((byGroup, v): Policy[] =>
      byGroup === null ? [] : [{ name: `${v}`, taken: { byGroup } }],
    )
    const random: Policy = { name: theCorpus, taken: { byGroup: new Float64Array(sample.groups.length).fill(1) } }
    const seed = seedOf(this.#variants[0]!.config.seed, sampledIn, 'bootstrap')
    const [ofRandom, ...found] = replicatesOf(sample, [random, ...policies], seed, replicates)
    for (const [p, { name }] of policies.entries()) {
      const sum = this.#sums[Number(name)]!
      if (Number.isNaN(found[p]![0]!)) continue
      sum.reward.push(found[p]!)
      sum.gain.push(differenceOf(found[p]!, ofRandom!))
      if (taken[0] !== null) sum.overlap.push(overlapOf(taken[Number(name)]!, taken[0]!, sample.groups))
    }
  }

  /** The best first. */
  judged(): Judged[] {
    const judged = this.#sums.map(
      ({ reward, gain, overlap }, v): Judged => ({
        name: this.#variants[v]!.name,
        reward: intervalOfMean(reward),
        gain: intervalOfMean(gain),
        overlap: overlap.length === 0 ? null : overlap.reduce((sum, one) => sum + one, 0) / overlap.length,
        ended: this.#refolded[v]!.ended,
      }),
    )
    const worth = ({ gain }: Judged) => gain?.mean ?? Number.NEGATIVE_INFINITY
    return judged.sort((a, b) => worth(b) - worth(a))
  }
}

const takenBy = (
  config: SelectionConfig,
  round: number,
  weights: Weights | undefined,
  { groups }: EvaluationSample,
): Float64Array | null =>
  weights === undefined ? null : takenByCells(config, round, weights.weights, weights.theta, groups)

/** Rounds are sampled independently, so the b-th replicate of their mean is the mean of their b-th replicates. */
function intervalOfMean(rounds: readonly Replicates[]): Interval | null {
  const [first] = rounds
  if (first === undefined) return null
  return intervalOf(first.map((_, b) => rounds.reduce((sum, replicates) => sum + replicates[b]!, 0) / rounds.length))
}
