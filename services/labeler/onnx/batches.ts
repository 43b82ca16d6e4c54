/** What another batch costs beside its tokens, in tokens: below it, padding is cheaper than a batch more. */
const batchOverheadTokens = 64

/**
 * Groups sequences into the batches that cost least: sorted by length (ties in their order) and cut where the padded tokens,
 * `rows * longest` of each batch, and the overhead of the batches are fewest together. A batch has at most `tokensMax` padded tokens, or
 * one row. Returns the batches as lists of places in `lengths`.
 */
export function bucketByLength(lengths: readonly number[], tokensMax: number): number[][] {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[a]! - lengths[b]! || a - b)
  // cost[end]: of the first `end` sequences, of whose last batch the first is start[end].
  const cost = [0]
  const start = [0]
  for (let end = 1; end <= order.length; end++) {
    const longest = lengths[order[end - 1]!]!
    cost[end] = Number.POSITIVE_INFINITY
    for (let from = end - 1; from >= 0; from--) {
      const padded = (end - from) * longest
      if (padded > tokensMax && from < end - 1) break
      const whole = cost[from]! + padded + batchOverheadTokens
      if (whole < cost[end]!) {
        cost[end] = whole
        start[end] = from
      }
    }
  }
  const batches: number[][] = []
  for (let end = order.length; end > 0; end = start[end]!) batches.unshift(order.slice(start[end], end))
  return batches
}

/** Groups sequences as they come, each batch as large as the longest in it allows. */
export function batchByArrival(lengths: readonly number[], tokensMax: number): number[][] {
  const batches: number[][] = []
  let batch: number[] = []
  let longest = 0
  for (const [i, length] of lengths.entries()) {
    longest = Math.max(longest, length)
    if (batch.length > 0 && (batch.length + 1) * longest > tokensMax) {
      batches.push(batch)
      batch = []
      longest = length
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
