import { allRecords, labelsTopic, runTopics, type TopicSpec, topics } from '../../schemas/index.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import type { Config } from '../config/config.ts'
import type { Credentials } from '../config/credentials.ts'
import { ClickHouseStore } from '../corpus/clickhouse-store.ts'
import { shardKey } from '../corpus/shard-key.ts'
import { ClickHouseTextKeys } from '../corpus/text-keys.ts'
import { checkCluster } from '../runtime/clickhouse/check-cluster.ts'
import { type ClickHouse, createClickHouse } from '../runtime/clickhouse/client.ts'
import { ensureDatabase } from '../runtime/clickhouse/database.ts'
import { migrate } from '../runtime/clickhouse/migrate.ts'
import { type Codec, createCodec } from '../runtime/codec.ts'
import { createKafka } from '../runtime/kafka/kafkajs.ts'
import type { Kafka, TopicDefinition } from '../runtime/kafka/port.ts'
import type { Log } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics/metrics.ts'
import { registryClient } from '../runtime/registry.ts'
import { MasterKeys } from '../texts/master-keys.ts'
import { Texts } from '../texts/texts.ts'

/** Where the parts are. */
export interface Addresses {
  readonly brokers: readonly string[]
  readonly registryUrl: string
  readonly clickhouseUrl: string
  readonly database?: string
  /** A cluster of ClickHouse. */
  readonly cluster?: string
  readonly credentials?: Credentials
}

/** How this process is observed from outside, and how it reads texts. */
interface RuntimeOptions extends Pick<Runtime, 'metrics' | 'traceRatio'> {
  /** File of master keys; left out: texts are not encrypted. */
  readonly encryption?: string | undefined
}

/** Open connections to everything a station needs. */
export interface Runtime {
  readonly kafka: Kafka
  readonly codec: Codec
  readonly clickHouse: ClickHouse
  readonly store: ClickHouseStore
  readonly texts: Texts
  readonly log: Log
  /** What this process measures; omitted if nothing collects it. */
  readonly metrics?: Metrics | undefined
  /** The share of documents whose trace contexts are carried in headers. */
  readonly traceRatio?: number | undefined
  close(): Promise<void>
}

/** Connects, registers the schemas and brings ClickHouse's tables up to date. @throws WinnowError UNREACHABLE, SCHEMA_INCOMPATIBLE */
export async function openRuntime(addresses: Addresses, log: Log, options: RuntimeOptions = {}): Promise<Runtime> {
  const { database, cluster, credentials = {} } = addresses
  const { encryption, ...watched } = options
  const masterKeys = encryption === undefined ? undefined : MasterKeys.load(encryption)
  await using opening = new AsyncDisposableStack()
  const kafka = createKafka({ brokers: [...addresses.brokers], clientId: 'winnow', log, ...credentials.kafka })
  opening.defer(() => kafka.close())
  const registry = registryClient(addresses.registryUrl, credentials.registry)
  const codec = await createCodec({ registry, records: allRecords })
  const server = { url: addresses.clickhouseUrl, ...credentials.clickHouse }
  const clickHouse = await createClickHouse({
    ...server,
    ...(database !== undefined && { database }),
    ...(cluster !== undefined && { cluster: { name: cluster, shardKey } }),
  })
  opening.defer(() => clickHouse.close())
  if (database !== undefined)
    await ensureDatabase(clickHouse.sql, { ...server, database, ...(cluster !== undefined && { cluster }) })
  await checkCluster(clickHouse.sql, cluster)
  await migrate(clickHouse.sql)
  const open = opening.move()
  return {
    kafka,
    codec,
    clickHouse,
    store: new ClickHouseStore(clickHouse.sql),
    texts: new Texts(new ClickHouseTextKeys(clickHouse.sql), masterKeys),
    log,
    ...watched,
    close: () => open.disposeAsync(),
  }
}

type Settings = Pick<Config['corpus'], 'partitions' | 'recordBytesMax'>

/** What a request or a dead letter holds besides the text that it carries. */
const besideText = 64 * 1024

export const definitionOf = (
  { name, partitions, cleanup, retentionMs, texts }: TopicSpec,
  settings: Settings,
): TopicDefinition => ({
  name,
  partitions: typeof partitions === 'string' ? settings.partitions : partitions,
  cleanup,
  retentionMs,
  ...(texts && { messageBytesMax: settings.recordBytesMax + (name === topics.documents.name ? 0 : besideText) }),
})

/**
 * Creates the missing topics of the corpus. Documents and labels have the same number of partitions: the configured one, or more if somebody
 * has added some to one of them. @throws WinnowError CONFIGURATION if one exists with fewer, or with other settings
 */
export async function createCorpusTopics(kafka: Kafka, config: Config): Promise<void> {
  const specs = [...Object.values<TopicSpec>(topics), ...config.actors.map(({ name }) => labelsTopic(name))]
  const existing = new Set(await kafka.topicNames())
  const ofCorpus = specs.filter(({ name, partitions }) => partitions === 'corpus' && existing.has(name))
  const counts = await Promise.all(ofCorpus.map(async ({ name }) => (await kafka.logsOf(name)).length))
  const partitions = Math.max(config.corpus.partitions, ...counts)
  await kafka.createTopics(specs.map((spec) => definitionOf(spec, { ...config.corpus, partitions })))
}

/**
 * Creates the missing topics of a run. Its requests may be as long as documents. Requests and rewards have as many partitions as the run says:
 * the maximum number of influence workers.
 */
export async function createRunTopics(
  kafka: Kafka,
  { name, influence: { partitions = 4 } }: Pick<RunConfig, 'name' | 'influence'>,
): Promise<void> {
  const recordBytesMax = await kafka.messageBytesMax(topics.documents.name)
  const specs = Object.values<TopicSpec>(runTopics(name))
  await kafka.createTopics(specs.map((spec) => definitionOf(spec, { partitions, recordBytesMax })))
}
