/** Ranks from 1; equal values share their mean rank. */
function ranks(values: number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!)
  const result = new Array<number>(values.length).fill(0)
  for (let from = 0; from < order.length; ) {
    let to = from + 1
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++
    for (let i = from; i < to; i++) result[order[i]!] = (from + to + 1) / 2
    from = to
  }
  return result
}

function pearson(a: number[], b: number[]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [meanA, meanB] = [mean(a), mean(b)]
  let [product, squaresA, squaresB] = [0, 0, 0]
  for (const [i, value] of a.entries()) {
    product += (value - meanA) * (b[i]! - meanB)
    squaresA += (value - meanA) ** 2
    squaresB += (b[i]! - meanB) ** 2
  }
  return product / Math.sqrt(squaresA * squaresB)
}

/** Spearman's rank correlation: Pearson's on mean ranks, which handles ties. */
export function spearman(a: number[], b: number[]): number {
  return pearson(ranks(a), ranks(b))
}
