import { randomUUID } from 'node:crypto'
import { type Admin, Kafka as KafkajsClient, logLevel } from 'kafkajs'
import { inject } from 'vitest'
import { topicNamed } from '../../schemas/index.ts'
import { type Addresses, openRuntime, type Runtime } from '../../services/connections/connections.ts'
import { readTopic } from '../../services/runs/recorded.ts'
import { createClickHouse } from '../../services/runtime/clickhouse/client.ts'
import { createCluster } from '../../services/runtime/kafka/internals.ts'
import { createLog } from '../../services/runtime/log.ts'
import type { Delivered } from '../../topologies/node.ts'
import type { Expected } from './oracle.ts'

/** The test's cluster with a database of its own, shared by the cases of a file: they keep apart by their runs' and groups' names. */
export interface World {
  readonly addresses: Addresses
  readonly runtime: Runtime
  readonly admin: Admin
  /** For what winnow's own port does not do. */
  readonly client: KafkajsClient
  /** What the coordinator does when a member's session has passed. */
  evict(groupId: string): Promise<void>
  /** Those of the topic's own record types, without poison. */
  records(topic: string): Promise<Delivered[]>
  close(): Promise<void>
}

export async function openDatabase(): Promise<Addresses> {
  const database = `faults_${randomUUID().slice(0, 8)}`
  const server = await createClickHouse({ url: inject('clickhouseUrl') })
  await server.sql.command(`CREATE DATABASE ${database}`)
  await server.close()
  return {
    brokers: inject('brokers'),
    registryUrl: inject('registryUrl'),
    clickhouseUrl: inject('clickhouseUrl'),
    database,
  }
}

export async function openWorld(): Promise<World> {
  const addresses = await openDatabase()
  const runtime = await openRuntime(addresses, createLog('test', process.env.WINNOW_LOG_LEVEL ?? 'warn'))
  const client = new KafkajsClient({ brokers: [...addresses.brokers], logLevel: logLevel.NOTHING })
  const admin = client.admin()
  await admin.connect()
  return {
    addresses,
    runtime,
    admin,
    client,
    evict: (groupId) => evict(client, admin, groupId),
    records: async (topic) => {
      const expected = topicNamed(topic)?.records.map(({ name }) => name)
      return (await readTopic(runtime, topic)).filter(({ record }) => expected?.includes(record) !== false)
    },
    close: async () => {
      await admin.disconnect()
      await runtime.close()
    },
  }
}

/** Fills the store as the label sink leaves it. */
export async function fill({ runtime: { store } }: World, { documents, labels, committed }: Expected): Promise<void> {
  await store.addDocuments(documents)
  await store.addLabels(labels)
  await store.commit(committed)
}

interface Coordinator {
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>
}

async function evict(client: KafkajsClient, admin: Admin, groupId: string): Promise<void> {
  const { groups } = await admin.describeGroups([groupId])
  const cluster = createCluster(client) as ReturnType<typeof createCluster> & {
    findGroupCoordinator(request: { groupId: string }): Promise<Coordinator>
  }
  await cluster.connect()
  const coordinator = await cluster.findGroupCoordinator({ groupId })
  for (const { memberId } of groups[0]?.members ?? []) await coordinator.leaveGroup({ groupId, memberId })
  await cluster.disconnect()
}
