import { type logCreator, logLevel } from 'kafkajs'
import type { Log } from '../log.ts'

/** kafkajs builds its debug lines whether or not anyone reads them, so they are asked for only where they are. */
export const kafkajsLevel = (log: Log): logLevel => (log.isLevelEnabled('trace') ? logLevel.DEBUG : logLevel.INFO)

/** What belongs to normal work although kafkajs calls it an error or a warning: rebalances, first retries, reconnects. */
const normal = [
  'rebalancing',
  'not aware of this member',
  'Limiting retries for the idempotent producer',
  // Reported by our own onFailure, with the error itself.
  'Error when calling eachBatch',
  'Crash: KafkaJSNonRetriableError',
  // A coordinator that is still loading or that moved, a connection that broke: the consumer begins again, and what lasts (a broker that
  // stays away) is told by the retries that it then runs out of.
  'Crash: KafkaJSProtocolError',
  'Crash: KafkaJSConnection',
  'Crash: KafkaJSGroupCoordinatorNotFound',
  'Restarting the consumer',
]
const normalNamespaces = ['Connection', 'BrokerPool']
/** By this retry some seconds have passed without an answer (see produceRetry): time to tell. */
const retriesBeforeWarning = 9

/** Sends kafkajs's log into ours. A failure that ends something is reported by who called, so nothing here is above a warning. */
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
