import type { SelectionConfig } from './config.ts'

/**
 * How often a trainer has read the i-th document (from 0) of a selection of n after passing m of them in emission order, starting again
 * at the end: floor((m - i - 1) / n) + 1 if i < m, else not at all (SELECTION.md, "Score").
 */
export function timesRead(index: number, documents: number, passed: number): number {
  return index < passed ? Math.floor((passed - index - 1) / documents) + 1 : 0
}

/** Whether any score or selection of this configuration depends on reads; if not, they need not be counted. */
export function readsMatter(config: Pick<SelectionConfig, 'repetitionDecay' | 'repeat' | 'guards'>): boolean {
  return config.repetitionDecay > 0 || Number.isFinite(readsMost(config))
}

/** A document that was read this often is not selected again; Infinity: there is no such bound. */
export function readsMost({ repeat, guards }: Pick<SelectionConfig, 'repeat' | 'guards'>): number {
  return repeat === 'exclude' ? 1 : (guards?.repetitions?.most ?? Number.POSITIVE_INFINITY)
}
