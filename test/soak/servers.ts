import { credentialsOf } from '../../services/config/credentials.ts'
import { loadConfig } from '../../services/config/load.ts'
import type { Addresses } from '../../services/connections/connections.ts'
import { createConnection } from '../../services/runtime/kafka/connection.ts'
import { createLog } from '../../services/runtime/log.ts'
import { FaultProxy, type Target } from '../faults/proxy.ts'

/** A server as its clients name it, and the proxy before it. */
export interface Server {
  readonly name: string
  readonly target: Target
}

/** The servers that the environment names, as every command of winnow reads it. @throws Error saying which are not named; WinnowError of the configuration */
export function namedAddresses(env: NodeJS.ProcessEnv, folder: string): Addresses {
  const config = loadConfig({ env, folder })
  const { kafka, registry, clickhouse } = config
  const named = {
    WINNOW_BROKERS: kafka.brokers[0],
    WINNOW_REGISTRY_URL: registry.url,
    WINNOW_CLICKHOUSE_URL: clickhouse.url,
  }
  const missing = Object.entries(named).flatMap(([name, value]) => (value === undefined ? [name] : []))
  if (missing.length > 0) throw new Error(`a soak of named servers needs ${missing.join(', ')} in the environment`)
  return {
    brokers: kafka.brokers,
    registryUrl: registry.url!,
    clickhouseUrl: clickhouse.url!,
    ...(clickhouse.database !== undefined && { database: clickhouse.database }),
    ...(clickhouse.cluster !== undefined && { cluster: clickhouse.cluster }),
    credentials: credentialsOf(config, env),
  }
}

/** All brokers, as they are named and as they send their clients on, the registry and ClickHouse. */
export async function serversOf({
  brokers,
  registryUrl,
  clickhouseUrl,
  credentials = {},
}: Addresses): Promise<Server[]> {
  const connection = createConnection({
    brokers,
    clientId: 'winnow-soak',
    log: createLog('soak', 'silent'),
    ...credentials.kafka,
  })
  try {
    const { brokers: advertised } = await (await connection.admin()).describeCluster()
    const found = new Map<string, Server>()
    const add = (name: string, target: Target) => found.set(`${target.host}:${target.port}`, { name, target })
    for (const address of brokers) add(`broker ${address}`, targetOf(address))
    for (const { host, port } of advertised) add(`broker ${host}:${port}`, { host, port })
    add('registry', targetOfUrl(registryUrl))
    add('ClickHouse', targetOfUrl(clickhouseUrl))
    return [...found.values()]
  } finally {
    await connection.close()
  }
}

const targetOf = (address: string): Target => {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
}

function targetOfUrl(address: string): Target {
  const { hostname, port, protocol } = new URL(address)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || (protocol === 'https:' ? 443 : 80)) }
}

/** A proxy before each server, and their ports by `host:port`. */
export async function proxiesBefore(servers: readonly Server[]) {
  const proxies: { name: string; proxy: FaultProxy }[] = []
  const ports: Record<string, number> = {}
  for (const { name, target } of servers) {
    const proxy = await FaultProxy.open(() => target)
    proxies.push({ name, proxy })
    ports[`${target.host}:${target.port}`] = proxy.port
  }
  return { proxies, ports }
}
