import { setTimeout as sleep } from 'node:timers/promises'

/** What `work` gives, or the error of `late` where that takes longer. The work itself goes on: whoever started it ends it. */
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
    // A failure that comes after the limit has been reported as the limit already.
    work.catch(() => {})
  }
}
