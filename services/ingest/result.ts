import type { LeftOut } from './left-out.ts'

export interface SourceResult {
  readonly name: string
  /** Null: stopped before its first row, so it has no number yet. */
  readonly source: number | null
  /**
   * `ingested`: to its end. `already`: it was before. `damaged`: it breaks off. `too-large`: what follows is beyond a limit. `refused`: every
   * row of it was. `other-content`: it is not the one that was ingested under its name, and was left as it is. `stopped`: by the signal.
   */
  readonly outcome: 'ingested' | 'already' | 'damaged' | 'too-large' | 'refused' | 'other-content' | 'stopped'
  /** Written this time. */
  readonly documents: number
  readonly rejected: number
  /** Of the source in total. */
  readonly documentsTotal: number
  /** Rows rejected this time, by reason. */
  readonly reasons: Readonly<Record<string, number>>
  /** The fields of rows that had no text. */
  readonly fields: readonly string[]
  /** More about the outcome, in words. */
  readonly why: string | null
}

export interface IngestResult {
  readonly sources: readonly SourceResult[]
  /** Documents and dead letters written this time. */
  readonly documents: number
  readonly rejected: number
  /** Sources that had been ingested before. */
  readonly skipped: number
  /** Sources that break off or are beyond a limit, of which every row was refused, or that have another content than was ingested under their name. */
  readonly failed: number
  /** Files in the given folders that were not ingested. */
  readonly leftOut: readonly LeftOut[]
  readonly stopped: boolean
}

/** The combined results of an ingest. */
export function summary(sources: readonly SourceResult[], leftOut: readonly LeftOut[] = []): IngestResult {
  const sum = (of: (result: SourceResult) => number) => sources.reduce((total, result) => total + of(result), 0)
  const count = (outcome: SourceResult['outcome']) => sum((result) => (result.outcome === outcome ? 1 : 0))
  return {
    sources,
    documents: sum((result) => result.documents),
    rejected: sum((result) => result.rejected),
    skipped: count('already'),
    failed: count('damaged') + count('too-large') + count('refused') + count('other-content'),
    leftOut,
    stopped: count('stopped') > 0,
  }
}
