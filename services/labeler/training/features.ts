import { surfaceCount } from '../hashed/features.ts'
import type { CorpusFeatures } from './corpus.ts'
import type { SparseRows } from './linear.ts'

/** In how many documents each row occurs. */
export function documentFrequency(corpus: CorpusFeatures, rows: number): Uint32Array {
  const frequency = new Uint32Array(rows)
  for (const row of corpus.rows) frequency[row]!++
  return frequency
}

/**
 * The buckets that get weights: those in at least `documentsMin` documents, at most `rowsMax` of the most frequent (ties: the first),
 * ascending. A rare bucket teaches a classifier little and costs as much space as any other.
 */
export function chooseBuckets(frequency: Uint32Array, documentsMin: number, rowsMax: number): Uint32Array {
  const candidates = Uint32Array.from(frequency.keys()).filter((bucket) => frequency[bucket]! >= documentsMin)
  const order = candidates.sort((a, b) => frequency[b]! - frequency[a]! || a - b)
  return order.slice(0, rowsMax).sort()
}

/** idf = ln((1 + n) / (1 + documents that have the row)) */
export function inverseDocumentFrequency(corpus: CorpusFeatures, rows: number): Float32Array {
  const documents = corpus.starts.length - 1
  const frequency = documentFrequency(corpus, rows)
  return Float32Array.from(frequency, (count) => Math.log((1 + documents) / (1 + count)))
}

/** The values that HashedScorer computes: (1 + ln count) * idf, divided by the row's length. */
export function weighRows(corpus: CorpusFeatures, idf: Float32Array): SparseRows {
  const values = new Float32Array(corpus.rows.length)
  for (let row = 0; row < corpus.starts.length - 1; row++) {
    let squares = 0
    for (let i = corpus.starts[row]!; i < corpus.starts[row + 1]!; i++) {
      values[i] = (1 + Math.log(corpus.counts[i]!)) * idf[corpus.rows[i]!]!
      squares += values[i]! * values[i]!
    }
    const norm = squares > 0 ? Math.sqrt(squares) : 1
    for (let i = corpus.starts[row]!; i < corpus.starts[row + 1]!; i++) values[i]! /= norm
  }
  return { starts: corpus.starts, columns: corpus.rows, values, width: idf.length }
}

/** Mean and standard deviation of each surface feature; a deviation of 0 counts as 1. */
export function surfaceStatistics(surface: Float64Array[]): { means: number[]; scales: number[] } {
  const means = Array.from(
    { length: surfaceCount },
    (_, s) => surface.reduce((sum, row) => sum + row[s]!, 0) / surface.length,
  )
  const scales = means.map(
    (mean, s) => Math.sqrt(surface.reduce((sum, row) => sum + (row[s]! - mean) ** 2, 0) / surface.length) || 1,
  )
  return { means, scales }
}
