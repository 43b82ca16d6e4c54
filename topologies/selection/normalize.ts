import { WinnowError } from '../errors.ts'

/**
 * `normalize: sum`: the values divided by their sum, taken in index order.
 * @param what names the values in the error, with the actor
 * @throws WinnowError NORMALIZATION if the sum is 0 or not finite
 */
export function normalizedBySum(values: readonly number[], what: string, round: number): number[] {
  let sum = 0
  for (const value of values) sum += value
  if (sum === 0 || !Number.isFinite(sum)) {
    throw new WinnowError('NORMALIZATION', `round ${round}: ${what} cannot be normalized, their sum is ${sum}`, {
      hint: 'Use normalize none, or rewards and initial weights whose sum stays positive.',
    })
  }
  return values.map((value) => value / sum)
}
