import { type logCreator, logLevel } from 'kafkajs'
import type { Log } from '../log.ts'

/** kafkajs formats its debug lines whether or not they are used, so they are requested only at debug level. */
export const kafkajsLevel = (log: Log): logLevel => (log.isLevelEnabled('trace') ? logLevel.DEBUG : logLevel.INFO)

/** Normal events that kafkajs logs as errors or warnings: rebalances, first retries, reconnects. */
const normal = [
  'rebalancing',
  'not aware of this member',
  'Limiting retries for the idempotent producer',
  // Reported by our own onFailure, with the error itself.
  'Error when calling eachBatch',
  'Crash: KafkaJSNonRetriableError',
  // A coordinator that is loading or has moved, a broken connection: the consumer restarts. What lasts (a broker that stays away) is reported
  // when its retries run out.
  'Crash: KafkaJSProtocolError',
  'Crash: KafkaJSConnection',
  'Crash: KafkaJSGroupCoordinatorNotFound',
  'Restarting the consumer',
]
const normalNamespaces = ['Connection', 'BrokerPool']
/** By this retry some seconds have passed without an answer (see produceRetry): time to report it. */
const retriesBeforeWarning = 9

/** Forwards kafkajs's log to ours. A failure that ends something is reported by the caller, so nothing here is above a warning. */
export const logInto =
  (log: Log): logCreator =>
  () =>
  ({ namespace, level, log: { message, timestamp: _timestamp, logger: _logger, ...rest } }) => {
    const retryCount = typeof rest.retryCount === 'number' ? rest.retryCount : undefined
    const quiet =
      level > logLevel.ERROR ||
      normalNamespaces.includes(namespace) ||
      normal.some((part) => String(message).includes(part)) ||
      (retryCount !== undefined && retryCount < retriesBeforeWarning)
    const write = level === logLevel.DEBUG ? 'trace' : quiet ? 'debug' : 'warn'
    log[write]({ ...rest, part: `kafkajs ${namespace}` }, String(message))
  }
