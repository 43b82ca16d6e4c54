/**
 * Calls `tick` every `ms`, skipping a call while one is pending, so that ticks do not pile up behind a long batch.
 * @param onFailure gets the failure of a tick
 * @returns stops the ticks
 */
export function everyTick(ms: number, tick: () => Promise<void>, onFailure: (error: unknown) => void): () => void {
  let pending = false
  const timer = setInterval(() => {
    if (pending) return
    pending = true
    tick()
      .catch(onFailure)
      .finally(() => {
        pending = false
      })
  }, ms)
  return () => clearInterval(timer)
}
