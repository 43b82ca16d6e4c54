/** Fewer probes say nothing of a text. */
export const probesMin = 32

/** The 95th percentile of the standard normal distribution. */
const oneInTwenty = 1.6448536269514722

/**
 * The Spearman correlation of n pairs that noise exceeds once in twenty times: without a connection its variance is 1 / (n - 1), and its
 * distribution is close to normal (Kendall and Gibbons 1990, section 4.14).
 */
export const chanceSpearman = (n: number): number => oneInTwenty / Math.sqrt(n - 1)

/** @param spearman null: the predictions do not vary */
export const isNoise = (spearman: number | null, pairs: number): boolean =>
  spearman === null || !(spearman > chanceSpearman(pairs))
