import type { SelectionConfig } from './config.ts'
import { cellIndex } from './joint-cells.ts'
import { jointCells } from './joint-config.ts'

/** The score of the documents with these labels and this many reads. */
export type ScoreOf = (labels: readonly number[], reads: number) => number

/**
 * S(x) of Eq. 6 as a function of the cell and the reads, under `collaboration`, `firstSelection` and `repetitionDecay`
 * (SELECTION.md, "Score"). Sums start from 0 and run in configuration order.
 * @param weights w_A by actor in configuration order, by subcategory; with residuals of a joint fit as the last (`cellsActor`)
 */
export function scoreOf(
  config: SelectionConfig,
  round: number,
  weights: readonly (readonly number[])[],
  theta: readonly number[],
): ScoreOf {
  if (round === 0 && config.firstSelection === 'random') return () => 0
  const factors = collaborationFactors(config, theta)
  const residuals = jointCells(config) === undefined ? undefined : weights[config.actors.length]
  return (labels, reads) => {
    let score = 0
    for (const [a, factor] of factors) score += factor * weights[a]![labels[a]!]!
    if (residuals !== undefined) score += residuals[cellIndex(config.actors, labels)]!
    return decayed(score, config.repetitionDecay, reads)
  }
}

/** `repetitionDecay` (SELECTION.md, "Score"): having been read never raises a document's rank, whatever the sign of its score. */
export function decayed(score: number, repetitionDecay: number, reads: number): number {
  const c = 1 + repetitionDecay * reads
  return score >= 0 ? score / c : score * c
}

/** The actors that take part in the score, by index, and the factor of each (A.4.3). */
function collaborationFactors(config: SelectionConfig, theta: readonly number[]): [actor: number, factor: number][] {
  const { collaboration } = config
  if (collaboration === 'collaborative') return theta.map((value, a) => [a, value])
  // The weights were fitted to be added up; those of a frozen actor were not.
  if (collaboration === 'joint') return theta.map((value, a) => [a, config.actors[a]!.frozen === true ? value : 1])
  if (collaboration === 'competitive') {
    // A frozen actor of theta 0 is one that only watches.
    const competes = (a: number) => !(config.actors[a]!.frozen === true && theta[a] === 0)
    let best = Math.max(
      0,
      theta.findIndex((_, a) => competes(a)),
    )
    for (let a = best + 1; a < theta.length; a++) if (competes(a) && theta[a]! > theta[best]!) best = a
    return [[best, theta[best]!]]
  }
  return [[config.actors.findIndex((actor) => `single:${actor.name}` === collaboration), 1]]
}

/** The weighted sum that `decayed` turns into this score. */
export function undecayed(score: number, repetitionDecay: number, reads: number): number {
  const c = 1 + repetitionDecay * reads
  return score >= 0 ? score * c : score / c
}
