import { setTimeout as sleep } from 'node:timers/promises'
import type { ConnectionOptions } from 'node:tls'
import { type Admin, Kafka as KafkajsClient, type RetryOptions, type SASLOptions } from 'kafkajs'
import type { Log } from '../log.ts'
import './checked-fetch.ts'
import './compression.ts'
import { isUnknownTopic, toWinnowError } from './failure.ts'
import { type Cluster, createCluster } from './internals.ts'
import { kafkajsLevel, logInto } from './log-bridge.ts'
import './next-seed.ts'
import './quiet-queue.ts'
import './record-batches.ts'
import './whole-answers.ts'

export interface KafkaOptions {
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly log: Log
  readonly ssl?: boolean | ConnectionOptions
  readonly sasl?: SASLOptions
  /** gzip costs the client more time than it saves on a local network, so the default is none. */
  readonly compression?: 'none' | 'gzip'
}

/**
 * Retries of connecting and of finding coordinators: 1.5 s, so that a wrong broker address is reported at once. All five numbers are
 * set because kafkajs has other defaults where NODE_ENV is `test`.
 */
const connectRetry: RetryOptions = { initialRetryTime: 50, factor: 0.2, multiplier: 2, maxRetryTime: 1000, retries: 5 }

/**
 * Retries of a producer that has been connected: half a minute, more than a killed broker needs to come back (12.5 s). The first are short
 * because a transaction right after another gets CONCURRENT_TRANSACTIONS for some milliseconds.
 */
export const produceRetry: RetryOptions = {
  initialRetryTime: 5,
  factor: 0.2,
  multiplier: 2,
  maxRetryTime: 2500,
  retries: 20,
}

/** One process's connection to a Kafka cluster: the client, and the connections that admin work and reads share, opened on first use. */
export interface Connection {
  readonly options: KafkaOptions
  readonly client: KafkajsClient
  /**
   * A client for one consumer. kafkajs 2.2.4 keeps the offsets of a group once for a client: of two members of a group that share one, each forgets what
   * the other is assigned when it joins, and the other crashes, or no longer reads some of its partitions.
   */
  consumerClient(): KafkajsClient
  /** The same, for callers that would rather wait than fail: retries as in `produceRetry`. */
  readonly patientClient: KafkajsClient
  /** With how many partitions this process has created topics, or would have: what a run says of its own. */
  readonly partitionsWanted: Map<string, number>
  /** Runs `work`; its errors become WinnowErrors that say "Could not <doing>". */
  attempt<T>(doing: string, work: () => Promise<T>): Promise<T>
  admin(): Promise<Admin>
  /** Runs `work` on the shared admin connection, and once more on a new one if a topic that the old one knew has been deleted. */
  onAdmin<T>(doing: string, work: (admin: Admin) => Promise<T>): Promise<T>
  /** Runs `work` on the shared cluster connection, with its metadata for `topic` loaded; retries transient errors. */
  onCluster<T>(topic: string, doing: string, work: (cluster: Cluster) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export function createConnection(options: KafkaOptions): Connection {
  const clientWith = (retry: RetryOptions) =>
    new KafkajsClient({
      brokers: [...options.brokers],
      clientId: options.clientId,
      ...(options.ssl !== undefined && { ssl: options.ssl }),
      ...(options.sasl !== undefined && { sasl: options.sasl }),
      connectionTimeout: 3000,
      retry,
      logLevel: kafkajsLevel(options.log),
      logCreator: logInto(options.log),
    })
  const client = clientWith(connectRetry)
  const admin = shared(async () => {
    const opened = client.admin()
    await opened.connect()
    return opened
  })
  const cluster = shared(async () => {
    const opened = createCluster(client)
    await opened.connect()
    return opened
  })

  const attempt = async <T>(doing: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw toWinnowError(error, doing, options.brokers)
    }
  }

  return {
    options,
    client,
    consumerClient: () => clientWith(connectRetry),
    patientClient: clientWith(produceRetry),
    partitionsWanted: new Map(),
    attempt,
    admin: () => attempt('connect', admin.get),
    onAdmin: (doing, work) =>
      attempt(doing, async () => {
        try {
          return await work(await admin.get())
        } catch (error) {
          if (!isUnknownTopic(error)) throw error
          admin.renew()
          return await work(await admin.get())
        }
      }),
    onCluster: (topic, doing, work) =>
      attempt(doing, async () => {
        for (let waitMs = 20; ; waitMs *= 2) {
          try {
            const open = await cluster.get()
            await open.addMultipleTargetTopics([topic])
            await learnPartitions(open, topic)
            return await work(open)
          } catch (error) {
            // A topic that this connection once asked for and that is now deleted breaks every metadata refresh: start afresh.
            await cluster.close()
            if (waitMs > waitMsMax(error)) throw error
            await sleep(waitMs)
          }
        }
      }),
    close: async () => {
      await Promise.all([admin.close(), cluster.close()])
    },
  }
}

/**
 * kafkajs shares one metadata refresh among all callers while it is under way, including those that added a topic after it was sent. They
 * would be told that their topic has no partitions, and would silently read nothing of it.
 */
export async function learnPartitions(cluster: Cluster, topic: string): Promise<void> {
  const known = () => cluster.findTopicPartitionMetadata(topic).length > 0
  if (!known()) await cluster.refreshMetadata()
  if (!known()) throw Object.assign(new Error(`topic ${topic} has no partitions yet`), { retriable: true })
}

/** How long to retry: not at all if it cannot help, and briefly for a missing topic, which may just have been created. */
export function waitMsMax(error: unknown): number {
  const { retriable, name, type } = error as { retriable?: boolean; name?: string; type?: string }
  if (type === 'UNKNOWN_TOPIC_OR_PARTITION') return 100
  // Of a topic that another service has just made, or whose leader is gone: on a small machine an election takes seconds.
  if (type === 'NOT_LEADER_FOR_PARTITION') return 5000
  // kafkajs gave up on its own after its retries, and then calls the error not retriable.
  return retriable === true || name === 'KafkaJSConnectionClosedError' ? 1000 : 0
}

const retiredMs = 10_000

/** A connection opened once, by its first user, and reopened after it was closed or could not be opened. */
function shared<T extends { disconnect(): Promise<void> }>(open: () => Promise<T>) {
  let current: Promise<T> | undefined
  const retired = new Set<Promise<T>>()
  const end = async (one: Promise<T> | undefined): Promise<void> => {
    if (one !== undefined) retired.delete(one)
    await one?.then((opened) => opened.disconnect()).catch(() => {})
  }
  return {
    get: (): Promise<T> => {
      if (current === undefined) {
        const opening = open()
        current = opening
        opening.catch(() => {
          if (current === opening) current = undefined
        })
      }
      return current
    },
    /** The next caller gets a new connection; the old one is closed once its users have had time to finish. */
    renew: (): void => {
      const old = current
      current = undefined
      if (old === undefined) return
      retired.add(old)
      setTimeout(() => void end(old), retiredMs).unref()
    },
    close: async (): Promise<void> => {
      const closing = current
      current = undefined
      await Promise.all([closing, ...retired].map(end))
    },
  }
}
