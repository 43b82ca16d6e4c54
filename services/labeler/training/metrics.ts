import { spearman } from '../../runtime/statistics.ts'

/** Share of equal entries. */
export function accuracy(truth: number[], guesses: number[]): number {
  return truth.filter((value, i) => value === guesses[i]).length / truth.length
}

/** counts[true class][predicted class] */
export function confusionMatrix(truth: number[], guesses: number[], classes: number): number[][] {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0))
  for (const [i, value] of truth.entries()) counts[value]![guesses[i]!]!++
  return counts
}

/** Mean over the classes of 2TP / (2TP + FP + FN); like scikit-learn, omits a class that is neither true nor predicted anywhere. */
export function macroF1(counts: number[][]): number {
  const scores = counts.flatMap((row, k) => {
    const inClass = row.reduce((sum, count) => sum + count, 0)
    const guessed = counts.reduce((sum, other) => sum + other[k]!, 0)
    return inClass + guessed === 0 ? [] : [(2 * row[k]!) / (inClass + guessed)]
  })
  return scores.reduce((sum, score) => sum + score, 0) / scores.length
}

export function meanSquaredError(truth: number[], guesses: number[]): number {
  return truth.reduce((sum, value, i) => sum + (value - guesses[i]!) ** 2, 0) / truth.length
}

/** Metrics of scores: accuracy and macro-F1 of each row's largest, or rank correlation and squared error of a regression (no `classes`). */
export function measure(truth: number[], scores: ArrayLike<number>[], classes: string[] | undefined) {
  if (!classes) {
    const guesses = scores.map((row) => row[0]!)
    return {
      guesses,
      metrics: { spearman: spearman(truth, guesses), meanSquaredError: meanSquaredError(truth, guesses) },
    }
  }
  const guesses = scores.map((row) => {
    let best = 0
    for (let k = 1; k < row.length; k++) if (row[k]! > row[best]!) best = k
    return best
  })
  const confusion = confusionMatrix(truth, guesses, classes.length)
  return { guesses, metrics: { accuracy: accuracy(truth, guesses), macroF1: macroF1(confusion) }, confusion }
}
