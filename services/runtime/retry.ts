import { WinnowError } from './errors.ts'

export interface RetryPolicy {
  readonly attemptsMax: number
  /** Wait before the second attempt. */
  readonly delayMsFirst: number
  /** The wait doubles up to this. */
  readonly delayMsMax: number
  /** Ends early when the signal aborts. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<unknown>
}

/**
 * Retries `work` while it fails with a retriable WinnowError, up to `attemptsMax` times in all, until `signal` aborts.
 */
export async function withRetries<T>(
  { attemptsMax, delayMsFirst, delayMsMax, sleep }: RetryPolicy,
  work: () => Promise<T>,
  onRetry: (error: WinnowError, attempt: number, delayMs: number) => void,
  signal?: AbortSignal,
): Promise<T> {
  const stopped = () => signal?.aborted ?? false
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof WinnowError && error.retriable) || attempt === attemptsMax || stopped()) throw error
      const delayMs = Math.min(delayMsMax, delayMsFirst * 2 ** (attempt - 1))
      onRetry(error, attempt, delayMs)
      await sleep(delayMs, signal)
      if (stopped()) throw error
    }
  }
}
