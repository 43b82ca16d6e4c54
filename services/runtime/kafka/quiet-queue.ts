import { createRequire } from 'node:module'

interface RequestQueue {
  readonly pending: readonly unknown[]
  scheduleCheckPendingRequests(): void
}

const { prototype }: { prototype: RequestQueue } = createRequire(import.meta.url)(
  'kafkajs/src/network/requestQueue/index.js',
)
const schedule = prototype.scheduleCheckPendingRequests

/**
 * Fixes kafkajs 2.2.4, which checks its request queue every millisecond even when it is empty: ten idle connections took 3 % of a processor,
 * and Node warns about the timer's negative delay. A queued request schedules the check itself.
 */
prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
  if (this.pending.length > 0) schedule.call(this)
}
