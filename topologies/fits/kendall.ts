/**
 * Kendall's rank correlation with ties (tau-b; Kendall 1945), in [-1, 1]; null where one side does not vary. Takes time by the square of the
 * length: meant for tens or hundreds of values.
 */
export function kendall(a: ArrayLike<number>, b: ArrayLike<number>): number | null {
  let [agreeing, pairsA, pairsB] = [0, 0, 0]
  for (let i = 1; i < a.length; i++) {
    for (let j = 0; j < i; j++) {
      const [x, y] = [Math.sign(a[i]! - a[j]!), Math.sign(b[i]! - b[j]!)]
      agreeing += x * y
      pairsA += x * x
      pairsB += y * y
    }
  }
  return pairsA === 0 || pairsB === 0 ? null : agreeing / Math.sqrt(pairsA * pairsB)
}
