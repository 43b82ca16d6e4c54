import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs, { type Admin } from 'kafkajs'
import { WinnowError } from '../errors.ts'
import { addPartitions, alterTopic } from './alter.ts'
import type { Connection } from './connection.ts'
import { topicsRefused } from './failure.ts'
import type { Kafka, Place, TopicDefinition } from './port.ts'

type AdminPart = Pick<Kafka, 'createTopics' | 'deleteTopics' | 'topicNames' | 'committedOffsets' | 'committedPlaces'>

export const createAdmin = (connection: Connection): AdminPart => ({
  createTopics: async (definitions) => {
    for (const { name, partitions } of definitions) connection.partitionsWanted.set(name, partitions)
    let first = true
    await connection.onAdmin('create the topics', async (admin) => {
      // A connection that knows a topic deleted since fails every request about topics: soon try another one.
      const patienceMs = first ? 500 : 5000
      first = false
      await createMissing(admin, definitions, patienceMs)
      // The missing ones are compared too: another process may have created them meanwhile.
      await retried(() => compare(admin, definitions), 5000)
    })
  },
  deleteTopics: async (names) => {
    await connection.onAdmin('delete topics', async (admin) => {
      const existing = new Set(await admin.listTopics())
      const topics = names.filter((name) => existing.has(name))
      if (topics.length === 0) return
      await admin.deleteTopics({ topics })
      await gone(admin, topics)
    })
  },
  topicNames: async () => {
    const names = await connection.onAdmin('list the topics', (admin) => admin.listTopics())
    return names.filter((name) => !name.startsWith('__')).sort()
  },
  committedOffsets: async (groupId, topic) =>
    (await committedPlaces(connection, groupId, topic)).map((place) => place?.offset ?? null),
  committedPlaces: (groupId, topic) => committedPlaces(connection, groupId, topic),
})

async function answeredPlaces(connection: Connection, groupId: string, topic: string) {
  return await connection.onAdmin('fetch the offsets of a consumer group', async (admin) => {
    const [answer] = await retried(() => admin.fetchOffsets({ groupId, topics: [topic] }), 1000)
    return answer?.partitions ?? []
  })
}

/**
 * Brokers learn of each other's decisions some milliseconds later: that one coordinates a group, that a topic was created. kafkajs asks only
 * one of them, once.
 */
async function retried<T>(ask: () => Promise<T>, waitMsMax: number): Promise<T> {
  for (let waitMs = 20; ; waitMs *= 2) {
    try {
      return await ask()
    } catch (error) {
      if ((error as { retriable?: boolean }).retriable !== true || waitMs > waitMsMax) throw error
      await sleep(waitMs)
    }
  }
}

/** A consumer group's committed offset by partition, with the metadata committed along; null where nothing is committed. */
export async function committedPlaces(
  connection: Connection,
  groupId: string,
  topic: string,
): Promise<(Place | null)[]> {
  const committed: (Place | null)[] = []
  for (const { partition, offset, metadata } of await answeredPlaces(connection, groupId, topic))
    committed[partition] = Number(offset) < 0 ? null : placeOf(Number(offset), metadata ?? '')
  return committed
}

/** `id/after/epoch`: the topic's id, the offset after the last record and its leader's epoch; stored as a committed offset's metadata. */
const metadataPattern = /^([\w-]{22})?\/(\d{1,16})?(?:\/(\d{1,10}))?$/

export const metadataOf = ({ topicId, afterRecord, leaderEpoch }: Place): string =>
  `${topicId ?? ''}/${afterRecord ?? ''}${leaderEpoch === undefined ? '' : `/${leaderEpoch}`}`

/** Offsets committed by others may have any metadata. */
function placeOf(offset: number, metadata: string): Place {
  const [, topicId, afterRecord, leaderEpoch] = metadataPattern.exec(metadata) ?? []
  return {
    ...{ offset, topicId: topicId ?? null },
    ...(afterRecord !== undefined && { afterRecord: Number(afterRecord) }),
    ...(leaderEpoch !== undefined && { leaderEpoch: Number(leaderEpoch) }),
  }
}

async function create(admin: Admin, missing: readonly TopicDefinition[]): Promise<void> {
  if (missing.length === 0) return
  const creating = admin.createTopics({
    waitForLeaders: false,
    topics: missing.map(({ name, partitions, cleanup, retentionMs, messageBytesMax }) => ({
      topic: name,
      numPartitions: partitions,
      // -1: the broker's default.replication.factor, set by whoever runs the cluster.
      replicationFactor: -1,
      configEntries: [
        { name: 'cleanup.policy', value: cleanup },
        { name: 'retention.ms', value: String(retentionMs) },
        ...(messageBytesMax === undefined ? [] : [{ name: 'max.message.bytes', value: String(messageBytesMax) }]),
      ],
    })),
  })
  await creating.catch((error: unknown) => {
    const refused = topicsRefused(error)
    if (refused.length === 0) throw error
    const what = `${refused.length === 1 ? 'a topic is' : `${refused.length} topics are`} missing, which this login may not create: ${refused.join(', ')}`
    throw new WinnowError('CONFIGURATION', what, {
      hint: "Once, with the login of an administrator ('winnow acls admin' prints its permissions): winnow topics --create",
      cause: error,
    })
  })
}

/**
 * A topic is created some milliseconds before it can be written to, and one being deleted is listed for as long: both are polled until the
 * broker knows a leader for each partition.
 */
async function createMissing(admin: Admin, definitions: readonly TopicDefinition[], patienceMs: number): Promise<void> {
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
      if (waitMs > patienceMs) throw error
    }
    await sleep(waitMs)
  }
}

/**
 * The controller has deleted a topic some milliseconds before the brokers stop listing it: who creates it anew meanwhile would be told that it exists.
 * Waits until it is not listed, 5 s at most: it may have been created anew by somebody else.
 */
async function gone(admin: Admin, topics: readonly string[]): Promise<void> {
  for (let waitMs = 5; waitMs < 5000; waitMs *= 2) {
    const listed = new Set(await admin.listTopics())
    if (!topics.some((topic) => listed.has(topic))) return
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
    differencesOf(definition, partitions.get(definition.name) ?? 0, settings.get(definition.name)),
  )
  if (differences.length > 0) {
    const found = differences.map(({ is }) => is).join('; ')
    throw new WinnowError('CONFIGURATION', `Topics exist with other settings: ${found}.`, {
      hint: `Set them as winnow needs them, or delete the topics if nothing in them is needed: ${differences.map(({ mend }) => mend).join('; ')}`,
    })
  }
}

/** More partitions than asked for are accepted; fewer, or other settings, are not. */
function differencesOf(
  { name, partitions, cleanup, retentionMs }: TopicDefinition,
  partitionsNow: number,
  settings: ReadonlyMap<string, string> | undefined,
): { is: string; mend: string }[] {
  const found: { is: string; mend: string }[] = []
  if (partitionsNow < partitions) {
    found.push({
      is: `${name} has partitions ${partitionsNow}, not ${partitions}`,
      mend: addPartitions(name, partitions),
    })
  }
  const wanted: [string, string][] = [['cleanup.policy', cleanup]]
  if (cleanup === 'delete') wanted.push(['retention.ms', String(retentionMs)])
  for (const [setting, want] of wanted) {
    const have = settings?.get(setting)
    if (have !== want)
      found.push({ is: `${name} has ${setting} ${have}, not ${want}`, mend: alterTopic(name, `${setting}=${want}`) })
  }
  return found
}
