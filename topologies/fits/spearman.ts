/** Ranks from 1; equal values share the mean of their ranks. */
export function ranks(values: ArrayLike<number>): Float64Array {
  const order = Array.from(values, (value, at) => ({ value, at })).sort((a, b) => a.value - b.value)
  const result = new Float64Array(order.length)
  for (let from = 0; from < order.length; ) {
    let to = from + 1
    while (to < order.length && order[to]!.value === order[from]!.value) to++
    for (let at = from; at < to; at++) result[order[at]!.at] = (from + to + 1) / 2
    from = to
  }
  return result
}

/** Spearman's rank correlation, in [-1, 1]; null where one side does not vary, so that nothing is said about its order. */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number | null {
  const [x, y] = [ranks(a), ranks(b)]
  const mean = (x.length + 1) / 2
  let [xx, yy, xy] = [0, 0, 0]
  for (let at = 0; at < x.length; at++) {
    const [dx, dy] = [x[at]! - mean, y[at]! - mean]
    xx += dx * dx
    yy += dy * dy
    xy += dx * dy
  }
  // Ranks are multiples of 1/2: the sums are exact, and equal orders give 1 up to the rounding of two roots.
  return xx === 0 || yy === 0 ? null : xy / (Math.sqrt(xx) * Math.sqrt(yy))
}
