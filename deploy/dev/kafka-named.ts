import { httpAddress } from '../../services/runtime/address.ts'
import { WinnowError } from '../../services/runtime/errors.ts'
import type { ClusterContext, Kafka } from './context.ts'
import { listens } from './ports.ts'

/** The broker and registry in the environment, if any; UNREACHABLE if nothing listens there. */
export async function namedKafka({ env }: ClusterContext): Promise<Kafka | undefined> {
  const brokers = (env.WINNOW_BROKERS ?? '')
    .split(',')
    .map((broker) => broker.trim())
    .filter((broker) => broker !== '')
  const registryUrl = env.WINNOW_REGISTRY_URL || undefined
  if (brokers.length === 0 && registryUrl === undefined) return undefined
  if (brokers.length === 0 || registryUrl === undefined) {
    const [missing, given] =
      brokers.length === 0 ? ['WINNOW_BROKERS', 'WINNOW_REGISTRY_URL'] : ['WINNOW_REGISTRY_URL', 'WINNOW_BROKERS']
    throw new WinnowError('CONFIGURATION', `${given} is set but ${missing} is not`, {
      hint: 'Set both; with neither, winnow starts its own.',
    })
  }
  const reached = await Promise.all(brokers.map((broker) => listens(broker, 5_000)))
  if (!reached.includes(true)) {
    throw new WinnowError('UNREACHABLE', `no broker answers at ${brokers.join(', ')}`, {
      hint: 'Is WINNOW_BROKERS right?',
    })
  }
  const { url, headers } = httpAddress(registryUrl)
  await fetch(`${url}/subjects`, { signal: AbortSignal.timeout(10_000), headers }).catch((cause: unknown) => {
    throw new WinnowError('UNREACHABLE', `no schema registry answers at ${url}`, {
      hint: 'Is WINNOW_REGISTRY_URL right?',
      cause,
    })
  })
  return { kind: 'named by the environment', brokers, registryUrl, pids: [], stop: async () => undefined }
}
