export interface SourceResult {
  readonly name: string
  /** Null: stopped before its first row, so it has no number yet. */
  readonly source: number | null
  /** `ingested`: to its end. `already`: it was before. `damaged`: it breaks off. `stopped`: by the signal. */
  readonly outcome: 'ingested' | 'already' | 'damaged' | 'stopped'
  /** Written this time. */
  readonly documents: number
  readonly rejected: number
  /** Of the source in all. */
  readonly documentsTotal: number
}

export interface IngestResult {
  readonly sources: readonly SourceResult[]
  /** Documents and dead letters written this time. */
  readonly documents: number
  readonly rejected: number
  /** Sources that had been ingested before, and sources that break off. */
  readonly skipped: number
  readonly failed: number
  readonly stopped: boolean
}

/** The results of an ingest taken together. */
export function summary(sources: readonly SourceResult[]): IngestResult {
  const sum = (of: (result: SourceResult) => number) => sources.reduce((total, result) => total + of(result), 0)
  const count = (outcome: SourceResult['outcome']) => sum((result) => (result.outcome === outcome ? 1 : 0))
  return {
    sources,
    documents: sum((result) => result.documents),
    rejected: sum((result) => result.rejected),
    skipped: count('already'),
    failed: count('damaged'),
    stopped: count('stopped') > 0,
  }
}
