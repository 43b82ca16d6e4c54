import { setTimeout as sleep } from 'node:timers/promises'
import { httpAddress, withoutLogin } from '../runtime/address.ts'
import { createClickHouse } from '../runtime/clickhouse/client.ts'
import { WinnowError } from '../runtime/errors.ts'
import { createConnection } from '../runtime/kafka/connection.ts'
import { advertisedHint } from '../runtime/kafka/failure.ts'
import { createLog } from '../runtime/log.ts'
import { within } from '../runtime/within.ts'
import type { Addresses } from './connections.ts'

/** More than a busy machine needs, yet short enough for a command to name what hangs within ten seconds. */
export const answerWithinMs = 4_000
/** What is down is mostly down together. */
const sameTimeMs = 500

/**
 * Asks broker, registry and ClickHouse for something small, concurrently. A process that hangs (stopped, swapping, its disk full) still
 * accepts connections, so callers would wait for minutes and blame the wrong one. @returns an error for each that cannot be reached or does
 * not answer, which names it; none if all answer
 */
export async function whatHangs(addresses: Addresses, withinMs = answerWithinMs): Promise<WinnowError[]> {
  const { brokers, registryUrl, clickhouseUrl } = addresses
  const asked = [
    { name: `Kafka at ${brokers.join(', ')}`, variable: 'WINNOW_BROKERS', ask: askKafka },
    { name: `the schema registry at ${withoutLogin(registryUrl)}`, variable: 'WINNOW_REGISTRY_URL', ask: askRegistry },
    { name: `ClickHouse at ${withoutLogin(clickhouseUrl)}`, variable: 'WINNOW_CLICKHOUSE_URL', ask: askClickHouse },
  ]
  const found: WinnowError[] = []
  const asking = asked.map(async ({ name, variable, ask }, at) => {
    const late = () => {
      const hint = `It accepts connections but hangs, or the network drops packets: check its process, log and disk. ${variable} names another.`
      return new WinnowError('UNREACHABLE', `${name} does not answer within ${withinMs / 1000} s`, { hint })
    }
    await within(withinMs, ask(addresses, withinMs), late).catch((error: WinnowError) => {
      found[at] = error
      throw error
    })
  })
  // Once one is found down, the others get less time.
  const soon = Promise.any(
    asking.map((one) =>
      one.then(
        () => Promise.reject(),
        () => sleep(sameTimeMs),
      ),
    ),
  ).catch(() => {})
  await Promise.race([Promise.allSettled(asking), soon])
  return found.filter((error) => error !== undefined)
}

/** @throws WinnowError naming what does not answer */
export async function assertAnswering(addresses: Addresses): Promise<void> {
  const [first, ...others] = await whatHangs(addresses)
  if (first === undefined) return
  if (others.length === 0) throw first
  const message = [first, ...others].map((error) => error.message.replace(/\.$/, '')).join('; ')
  throw new WinnowError(first.code, message, { ...(first.hint !== undefined && { hint: first.hint }), cause: first })
}

async function askKafka({ brokers, credentials = {} }: Addresses, withinMs: number): Promise<void> {
  const log = createLog('winnow', 'silent')
  const connection = createConnection({ brokers, clientId: 'winnow-probe', log, ...credentials.kafka })
  try {
    const admin = await connection.admin()
    const looking = connection.attempt('look at the cluster', () => admin.describeCluster())
    // Those that were named have answered; what is asked now goes to an address that they gave.
    const elsewhere = `Kafka at ${brokers.join(', ')} answers, and a broker that it sends clients to does not`
    await within(0.9 * withinMs, looking, () => new WinnowError('UNREACHABLE', elsewhere, { hint: advertisedHint }))
  } finally {
    // Not awaited: a broker that hangs does not answer that either.
    void connection.close()
  }
}

async function askRegistry({ registryUrl, credentials = {} }: Addresses, withinMs: number): Promise<void> {
  const { url, headers } = httpAddress(registryUrl, credentials.registry)
  try {
    const answer = await fetch(`${url}/subjects`, { signal: AbortSignal.timeout(withinMs + 1000), headers })
    await answer.body?.cancel()
  } catch (cause) {
    const reason = (cause as { cause?: { code?: string } }).cause?.code ?? (cause as Error).message
    throw new WinnowError('UNREACHABLE', `the schema registry at ${url} does not answer (${reason})`, {
      hint: 'Is it running? `winnow dev` starts one; WINNOW_REGISTRY_URL names another.',
      cause,
    })
  }
}

async function askClickHouse(addresses: Addresses): Promise<void> {
  const { clickhouseUrl: url, database, credentials = {} } = addresses
  if (url.startsWith('chdb:')) return
  const clickHouse = await createClickHouse({
    url,
    ...(database !== undefined && { database }),
    ...credentials.clickHouse,
  })
  try {
    await clickHouse.sql.query('SELECT 1')
  } catch (error) {
    // A refusal is an answer; the work itself reports what is wrong.
    if (error instanceof WinnowError && error.code === 'UNREACHABLE') throw error
  } finally {
    void clickHouse.close()
  }
}
