/**
 * Groups sequences into batches that cost little padding: sorted by length (ties in their order), each batch as large as
 * `rows * longest <= tokensMax` allows, at least one row. Returns the batches as lists of places in `lengths`.
 */
export function bucketByLength(lengths: number[], tokensMax: number): number[][] {
  return fill(
    lengths.map((_, i) => i).sort((a, b) => lengths[a]! - lengths[b]! || a - b),
    lengths,
    tokensMax,
  )
}

/** Groups sequences as they come, each batch as large as the longest in it allows. */
export function batchByArrival(lengths: number[], tokensMax: number): number[][] {
  return fill(
    lengths.map((_, i) => i),
    lengths,
    tokensMax,
  )
}

function fill(order: number[], lengths: number[], tokensMax: number): number[][] {
  const batches: number[][] = []
  let batch: number[] = []
  let longest = 0
  for (const i of order) {
    longest = Math.max(longest, lengths[i]!)
    if (batch.length > 0 && (batch.length + 1) * longest > tokensMax) {
      batches.push(batch)
      batch = []
      longest = lengths[i]!
    }
    batch.push(i)
  }
  if (batch.length > 0) batches.push(batch)
  return batches
}

/** Joins the logits of a document's windows, class by class; with `first` there is one window. */
export function combineWindows(windows: ArrayLike<number>[], combine: 'first' | 'mean' | 'max'): number[] {
  const first = Array.from(windows[0]!)
  if (combine === 'first') return first
  if (combine === 'mean')
    return first.map((_, k) => windows.reduce((sum, window) => sum + window[k]!, 0) / windows.length)
  return first.map((_, k) =>
    windows.reduce((largest, window) => Math.max(largest, window[k]!), Number.NEGATIVE_INFINITY),
  )
}
