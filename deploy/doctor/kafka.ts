import kafkajs, { type Admin } from 'kafkajs'
import { labelsTopic, type TopicSpec, topicNamed, topics } from '../../schemas/index.ts'
import type { Config } from '../../services/config/config.ts'
import { definitionOf } from '../../services/connections/connections.ts'
import { addPartitions, alterTopic } from '../../services/runtime/kafka/alter.ts'
import { rebalanceTimeoutMs, sessionTimeoutMs } from '../../services/runtime/kafka/consumer.ts'
import { transactionTimeoutMs } from '../../services/runtime/kafka/producer-session.ts'
import { maxRecordBytes, messageBytesDefault } from '../../services/runtime/kafka/record-size.ts'
import { entryOf, type Permission } from '../acls/acls.ts'
import { type Finding, ok, problem, skipped, warning } from './finding.ts'

type Settings = ReadonlyMap<string, string>

async function settingsOf(admin: Admin, type: number, names: readonly string[]): Promise<Map<string, Settings>> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: names.map((name) => ({ type, name })),
  })
  return new Map(
    resources.map(({ resourceName, configEntries }) => [
      resourceName,
      new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ]),
  )
}

/** Compares a broker's limits with what winnow needs. Settings that the broker does not report are not checked. */
export function judgeBroker(id: string, settings: Settings): Finding[] {
  const check = `broker ${id}`
  const value = (name: string) => (settings.has(name) ? Number(settings.get(name)) : undefined)
  const found: Finding[] = []
  const atLeast = (name: string, least: number) => {
    const now = value(name)
    if (now !== undefined && now < least)
      found.push(
        problem(check, `${name} is ${now}, winnow needs ${least}`, `Set ${name}=${least} or more on the broker.`),
      )
  }
  atLeast('message.max.bytes', maxRecordBytes)
  atLeast('transaction.max.timeout.ms', transactionTimeoutMs)
  atLeast('group.max.session.timeout.ms', Math.max(sessionTimeoutMs, rebalanceTimeoutMs))
  const shortest = value('group.min.session.timeout.ms')
  if (shortest !== undefined && shortest > sessionTimeoutMs) {
    const mend = `Set group.min.session.timeout.ms=${sessionTimeoutMs} or less on the broker.`
    found.push(
      problem(
        check,
        `group.min.session.timeout.ms is ${shortest}, winnow's group members use ${sessionTimeoutMs}`,
        mend,
      ),
    )
  }
  if (settings.get('auto.create.topics.enable') === 'true') {
    const mend = 'Set auto.create.topics.enable=false: topics created for misspelt names have the wrong settings.'
    found.push(warning(check, 'creates topics automatically', mend))
  }
  return found.length === 0 ? [ok(check, 'limits and timeouts are sufficient')] : found
}

export async function checkBrokers(admin: Admin): Promise<Finding[]> {
  const { brokers, clusterId } = await admin.describeCluster()
  const cluster = ok(
    'kafka',
    `${brokers.length === 1 ? '1 broker' : `${brokers.length} brokers`}, cluster ${clusterId}`,
  )
  try {
    const names = brokers.map(({ nodeId }) => `${nodeId}`)
    const all = await settingsOf(admin, kafkajs.ConfigResourceTypes.BROKER, names)
    return [cluster, ...[...all].flatMap(([id, settings]) => judgeBroker(id, settings))]
  } catch (error) {
    if ((error as { type?: string }).type !== 'CLUSTER_AUTHORIZATION_FAILED') throw error
    return [cluster, skipped('brokers', 'the user may not read their settings (DescribeConfigs on the cluster)')]
  }
}

/** Topics that exist, and those of the corpus that should. */
export async function checkTopics(admin: Admin, config: Config): Promise<Finding[]> {
  const existing = (await admin.listTopics()).filter((name) => name.startsWith('winnow.'))
  const corpus = [...Object.values<TopicSpec>(topics), ...config.actors.map(({ name }) => labelsTopic(name))]
  const missing = corpus.filter(({ name }) => !existing.includes(name))
  const known = existing.flatMap((name) => topicNamed(name) ?? [])
  const findings = await differences(admin, known, config)
  if (missing.length > 0) {
    findings.push(
      warning(
        'topics',
        `missing: ${missing.map(({ name }) => name).join(', ')}`,
        'Start any service: it creates them, if it may; else, with the login of an administrator: winnow topics --create.',
      ),
    )
  }
  return findings.length === 0 ? [ok('topics', `${existing.length}, configured correctly`)] : findings
}

async function differences(admin: Admin, specs: readonly TopicSpec[], config: Config): Promise<Finding[]> {
  if (specs.length === 0) return []
  const names = specs.map(({ name }) => name)
  const metadata = await admin.fetchTopicMetadata({ topics: names })
  const partitions = new Map(metadata.topics.map((topic) => [topic.name, topic.partitions]))
  const settings = await settingsOf(admin, kafkajs.ConfigResourceTypes.TOPIC, names)
  // Documents and labels have the same number of partitions: that of the one that has most.
  const counts = specs.flatMap(({ name, partitions: wanted }) =>
    wanted === 'corpus' ? [partitions.get(name)?.length ?? 0] : [],
  )
  const corpusPartitions = Math.max(config.corpus.partitions, ...counts)
  return specs.flatMap((spec) => {
    const definition = definitionOf(spec, { ...config.corpus, partitions: corpusPartitions })
    const own = settings.get(spec.name) ?? new Map()
    return judgeTopic(definition, partitions.get(spec.name)?.length ?? 0, own)
  })
}

type Definition = ReturnType<typeof definitionOf>

export function judgeTopic(
  { name, partitions, cleanup, retentionMs, messageBytesMax = messageBytesDefault }: Definition,
  now: number,
  settings: Settings,
): Finding[] {
  const found: Finding[] = []
  const alter = (setting: string) => alterTopic(name, setting)
  if (now < partitions)
    found.push(problem('topics', `${name} has ${now} partitions, not ${partitions}`, addPartitions(name, partitions)))
  const policy = settings.get('cleanup.policy')
  if (policy !== undefined && policy !== cleanup) {
    found.push(
      problem('topics', `${name} has cleanup.policy ${policy}, not ${cleanup}`, alter(`cleanup.policy=${cleanup}`)),
    )
  }
  const retention = settings.get('retention.ms')
  if (cleanup === 'delete' && retention !== undefined && retention !== `${retentionMs}`) {
    found.push(
      problem(
        'topics',
        `${name} keeps records for ${retention} ms, not ${retentionMs}`,
        alter(`retention.ms=${retentionMs}`),
      ),
    )
  }
  const largest = Number(settings.get('max.message.bytes') ?? messageBytesMax)
  if (largest < messageBytesMax) {
    found.push(
      problem(
        'topics',
        `${name} accepts messages of ${largest} bytes, winnow needs ${messageBytesMax}`,
        alter(`max.message.bytes=${messageBytesMax}`),
      ),
    )
  }
  return found
}

/** Whether a service's permissions exist. @param permissions of the service in question; none: only whether there is an authorizer */
export async function checkPermissions(
  admin: Admin,
  principal: string,
  permissions: readonly Permission[],
): Promise<Finding> {
  const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs
  try {
    const { resources } = await admin.describeAcls({
      principal,
      resourceType: AclResourceTypes.ANY,
      resourcePatternType: ResourcePatternTypes.ANY,
      operation: AclOperationTypes.ANY,
      permissionType: AclPermissionTypes.ALLOW,
    })
    const there = new Set(
      resources.flatMap(({ resourceType, resourceName, resourcePatternType, acls }) =>
        acls.map(({ operation }) => [resourceType, resourceName, resourcePatternType, operation].join(' ')),
      ),
    )
    const missing = permissions.filter((one) => {
      const { resourceType, resourceName, resourcePatternType, operation } = entryOf(principal, one)
      const given = (what: number) => there.has([resourceType, resourceName, resourcePatternType, what].join(' '))
      return !given(operation) && !given(AclOperationTypes.ALL)
    })
    if (missing.length === 0) return ok('permissions', `${principal} has ${there.size}`)
    const list = missing.map(({ kind, name, operation }) => `${operation} on ${kind} ${name}`).join(', ')
    return problem(
      'permissions',
      `${principal} lacks: ${list}`,
      'winnow acls SERVICE --principal ... --apply, as an administrator',
    )
  } catch (error) {
    const { type } = error as { type?: string }
    if (type === 'SECURITY_DISABLED')
      return ok('permissions', 'the brokers have no authorizer: everybody may do everything')
    if (type === 'CLUSTER_AUTHORIZATION_FAILED')
      return skipped('permissions', 'the user may not read them (Describe on the cluster)')
    throw error
  }
}
