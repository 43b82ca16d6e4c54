import { WinnowError } from './errors.ts'

export interface RetryPolicy {
  readonly attemptsMax: number
  /** Wait before the second attempt. */
  readonly delayMsFirst: number
  /** It doubles up to this. */
  readonly delayMsMax: number
  readonly sleep: (ms: number) => Promise<unknown>
}

/** Tries `work` again while it fails with a WinnowError that says a retry may help, up to `attemptsMax` times in all. */
export async function withRetries<T>(
  { attemptsMax, delayMsFirst, delayMsMax, sleep }: RetryPolicy,
  work: () => Promise<T>,
  onRetry: (error: WinnowError, attempt: number, delayMs: number) => void,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof WinnowError && error.retriable) || attempt === attemptsMax) throw error
      const delayMs = Math.min(delayMsMax, delayMsFirst * 2 ** (attempt - 1))
      onRetry(error, attempt, delayMs)
      await sleep(delayMs)
    }
  }
}
