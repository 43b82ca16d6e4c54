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
 * Mends kafkajs 2.2.4, which looks after its waiting requests every millisecond even when none waits: ten idle connections took 3 % of a
 * processor, and Node warns of the timer's negative time. A request that comes to wait schedules the look by itself.
 */
prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
  if (this.pending.length > 0) schedule.call(this)
}
