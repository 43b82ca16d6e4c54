/**
 * What each stratum of a mixture gives of a budget (SELECTION.md, "Strategies" and "Precisions"), in the budget's unit. A stratum that holds
 * less than its quota gives all it has, and the rest of the budget is shared among the others again.
 * @param weights finite, none negative, by stratum
 * @param holdings what each stratum holds
 * @returns by stratum: its quota, or all it holds. Infinity means all it holds, if that is less than its quota
 */
export function sharesOf(budget: number, weights: readonly number[], holdings: readonly number[]): number[] {
  const shares = weights.map(() => 0)
  let active = [...weights.keys()].filter((j) => weights[j]! > 0)
  let left = budget
  for (;;) {
    const quotas = quotasOf(
      left,
      active.map((j) => weights[j]!),
    )
    const short = active.filter((j, i) => holdings[j]! < quotas[i]!)
    for (const [i, j] of active.entries()) shares[j] = quotas[i]!
    if (short.length === 0) return shares
    for (const j of short) {
      shares[j] = Number.POSITIVE_INFINITY
      left -= holdings[j]!
    }
    active = active.filter((j) => !short.includes(j))
  }
}

/** q_j = floor(B * C_j + 0.5) - floor(B * C_(j-1) + 0.5), with C_j the cumulative weights over their total: they add up to the budget. */
export function quotasOf(budget: number, weights: readonly number[]): number[] {
  let total = 0
  for (const weight of weights) total += weight
  let cumulative = 0
  let before = 0
  return weights.map((weight) => {
    cumulative += weight
    const upTo = Math.floor(budget * (cumulative / total) + 0.5)
    const quota = upTo - before
    before = upTo
    return quota
  })
}
