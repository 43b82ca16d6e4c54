import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs, { type Admin } from 'kafkajs'
import { WinnowError } from '../errors.ts'
import type { Connection } from './connection.ts'
import type { Kafka, TopicDefinition } from './port.ts'

type AdminPart = Pick<Kafka, 'createTopics' | 'deleteTopics' | 'topicNames' | 'committedOffsets'>

export const createAdmin = (connection: Connection): AdminPart => ({
  createTopics: async (definitions) => {
    const admin = await connection.admin()
    await connection.attempt('create the topics', async () => {
      await createMissing(admin, definitions)
      // The missing ones are compared too: another process may have created them at the same time.
      await compare(admin, definitions)
    })
  },
  deleteTopics: async (names) => {
    const admin = await connection.admin()
    await connection.attempt('delete topics', async () => {
      const existing = new Set(await admin.listTopics())
      const topics = names.filter((name) => existing.has(name))
      if (topics.length > 0) await admin.deleteTopics({ topics })
    })
  },
  topicNames: async () => {
    const admin = await connection.admin()
    const names = await connection.attempt('list the topics', () => admin.listTopics())
    return names.filter((name) => !name.startsWith('__')).sort()
  },
  committedOffsets: async (groupId, topic) => {
    const admin = await connection.admin()
    const [answer] = await connection.attempt('ask how far a consumer group has come', () =>
      admin.fetchOffsets({ groupId, topics: [topic] }),
    )
    const committed: (number | null)[] = []
    for (const { partition, offset } of answer?.partitions ?? []) {
      committed[partition] = Number(offset) < 0 ? null : Number(offset)
    }
    return committed
  },
})

async function create(admin: Admin, missing: readonly TopicDefinition[]): Promise<void> {
  if (missing.length === 0) return
  await admin.createTopics({
    waitForLeaders: false,
    topics: missing.map(({ name, partitions, cleanup, retentionMs, messageBytesMax }) => ({
      topic: name,
      numPartitions: partitions,
      // -1: the broker's default.replication.factor, which who runs the cluster has chosen.
      replicationFactor: -1,
      configEntries: [
        { name: 'cleanup.policy', value: cleanup },
        { name: 'retention.ms', value: String(retentionMs) },
        ...(messageBytesMax === undefined ? [] : [{ name: 'max.message.bytes', value: String(messageBytesMax) }]),
      ],
    })),
  })
}

/**
 * A topic is created some milliseconds before it can be written to, and one that is being deleted counts as there for as long: both are
 * asked about until the broker knows a leader of each.
 */
async function createMissing(admin: Admin, definitions: readonly TopicDefinition[]): Promise<void> {
  for (let waitMs = 20; definitions.length > 0; waitMs *= 2) {
    const existing = new Set(await admin.listTopics())
    await create(
      admin,
      definitions.filter(({ name }) => !existing.has(name)),
    )
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: definitions.map(({ name }) => name) })
      if (topics.every(({ partitions }) => partitions.every(({ leader }) => leader >= 0))) return
    } catch (error) {
      if (waitMs > 5000) throw error
    }
    await sleep(waitMs)
  }
}

async function compare(admin: Admin, definitions: readonly TopicDefinition[]): Promise<void> {
  if (definitions.length === 0) return
  const { topics } = await admin.fetchTopicMetadata({ topics: definitions.map(({ name }) => name) })
  const partitions = new Map(topics.map(({ name, partitions }) => [name, partitions.length]))
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: definitions.map(({ name }) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name })),
  })
  const settings = new Map(
    resources.map(({ resourceName, configEntries }) => [
      resourceName,
      new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ]),
  )
  const differences = definitions.flatMap((definition) =>
    differencesOf(definition, partitions.get(definition.name), settings.get(definition.name)),
  )
  if (differences.length > 0) {
    throw new WinnowError('CONFIGURATION', `Topics exist with other settings: ${differences.join('; ')}.`, {
      hint: 'Set them as winnow needs them (kafka-configs --alter), or delete the topics if nothing in them is needed.',
    })
  }
}

function differencesOf(
  { name, partitions, cleanup, retentionMs }: TopicDefinition,
  partitionsNow: number | undefined,
  settings: ReadonlyMap<string, string> | undefined,
): string[] {
  const wanted: [string, string, string | undefined][] = [
    ['partitions', String(partitions), String(partitionsNow)],
    ['cleanup.policy', cleanup, settings?.get('cleanup.policy')],
  ]
  if (cleanup === 'delete') wanted.push(['retention.ms', String(retentionMs), settings?.get('retention.ms')])
  return wanted
    .filter(([, want, have]) => want !== have)
    .map(([what, want, have]) => `${name} has ${what} ${have}, not ${want}`)
}
