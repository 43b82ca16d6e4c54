/** The fixed cost of a batch, in tokens: below it, padding is cheaper than another batch. */
const batchOverheadTokens = 64

/**
 * Groups sequences into the cheapest batches: sorted by length (ties in their order) and cut so that the sum of padded tokens, `rows *
 * longest` per batch, and fixed costs is minimal. A batch has at most `tokensMax` padded tokens, or one row. Returns the batches as lists of
 * indices into `lengths`.
 */
export function bucketByLength(lengths: readonly number[], tokensMax: number): number[][] {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[a]! - lengths[b]! || a - b)
  // cost[end]: of the first `end` sequences; start[end] is the first one of their last batch.
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

/** Groups sequences in arrival order, each batch as large as its longest sequence allows. */
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

export type Combination = 'first' | 'mean' | 'weighted' | 'max'

/** Combines the logits of a document's windows, class by class, `weighted` by their tokens; with `first` there is one window. */
export function combineWindows(
  windows: readonly ArrayLike<number>[],
  combine: Combination,
  tokens: readonly number[],
): number[] {
  const first = Array.from(windows[0]!)
  if (combine === 'first') return first
  if (combine === 'max')
    return first.map((_, k) =>
      windows.reduce((largest, window) => Math.max(largest, window[k]!), Number.NEGATIVE_INFINITY),
    )
  const weightOf = (w: number) => (combine === 'weighted' ? tokens[w]! : 1)
  const weights = windows.reduce((sum, _, w) => sum + weightOf(w), 0)
  return first.map((_, k) => windows.reduce((sum, window, w) => sum + window[k]! * weightOf(w), 0) / weights)
}
