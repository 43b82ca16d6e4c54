import type { Progress, RoundAdopted, RoundOpened } from '../../schemas/index.ts'
import { readsKnown } from '../console/reads.ts'

/** What a training has read of a round's selection, up to some step. */
export interface RoundRead {
  readonly round: number
  /** Documents passed in emission order (m of SELECTION.md, step 5); null: nobody reported it. */
  readonly read: number | null
  /** Optimizer steps on this selection: those after `stepFirst`, up to `stepLast`. */
  readonly stepFirst: number
  readonly stepLast: number
}

/** The records of a run that say what its trainer read, in the order of the log. */
export interface Training {
  readonly opened: readonly RoundOpened[]
  readonly adopted: readonly RoundAdopted[]
}

/**
 * What a model had read at a report: of each selection that was trained on until then how much, rounds ascending. A training that was killed reads the same
 * again from its last checkpoint, so repeated records agree and the last counts. A trainer that does not record the beginnings of rounds is in mode `wait`:
 * there the opening of a round says what was read of the one before.
 */
export function lineageOf(
  { opened, adopted }: Training,
  report: Pick<Progress, 'round' | 'position' | 'step'>,
): RoundRead[] {
  const known = readsKnown(opened.filter(({ step }) => step <= report.step))
  const reads = new Map([...known].filter(([round]) => round < report.round))
  const begins = new Map<number, number>()
  for (const { round, step } of opened) if (adopted.length === 0 && step <= report.step) begins.set(round, step)
  for (const { round, step, previousRound, previousRead } of adopted) {
    // A decision of mode `ready`, or the beginning of what this model has not read yet.
    if (step > report.step || (previousRead === null && step > 0)) continue
    if (step < report.step || round <= report.round) begins.set(round, step)
    if (previousRound !== null && previousRead !== null && previousRound < report.round)
      reads.set(previousRound, previousRead)
  }
  reads.set(report.round, report.position)
  const rounds = [...begins].filter(([round]) => round <= report.round).sort(([, a], [, b]) => a - b)
  return rounds.map(([round, stepFirst], i) => ({
    ...{ round, read: reads.get(round) ?? null, stepFirst },
    stepLast: rounds[i + 1]?.[1] ?? report.step,
  }))
}
