import { setTimeout as sleep } from 'node:timers/promises'

/** The result of `work`, or the error of `late` if that takes longer. The work itself goes on: its starter must end it. */
export async function within<T>(ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  const done = new AbortController()
  const limit = sleep(ms, undefined, { signal: done.signal }).then(
    () => Promise.reject(late()),
    () => new Promise<never>(() => {}),
  )
  try {
    return await Promise.race([work, limit])
  } finally {
    done.abort()
    // A failure after the limit has already been reported as the limit.
    work.catch(() => {})
  }
}
