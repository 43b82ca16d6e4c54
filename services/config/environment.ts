/** Environment variables, and the configuration key that each one overrides. */
export const environment = {
  WINNOW_BROKERS: 'kafka.brokers',
  WINNOW_KAFKA_TLS: 'kafka.tls',
  WINNOW_KAFKA_CA: 'kafka.ca',
  WINNOW_KAFKA_SASL: 'kafka.sasl',
  WINNOW_KAFKA_USERNAME: 'kafka.username',
  WINNOW_REGISTRY_URL: 'registry.url',
  WINNOW_REGISTRY_USERNAME: 'registry.username',
  WINNOW_CLICKHOUSE_URL: 'clickhouse.url',
  WINNOW_CLICKHOUSE_USERNAME: 'clickhouse.username',
  WINNOW_CLICKHOUSE_DATABASE: 'clickhouse.database',
  WINNOW_CLICKHOUSE_CLUSTER: 'clickhouse.cluster',
  WINNOW_DATA: 'dataFolder',
  WINNOW_CORPUS_ENCRYPTION: 'corpus.encryption',
  WINNOW_METRICS_PORT: 'metrics.port',
  WINNOW_METRICS_HOST: 'metrics.host',
  WINNOW_METRICS_TOKEN: 'metrics.token',
} as const

/** Parses non-string variables; unparsable numbers are passed on, so that the schema reports them. */
const readAs: Readonly<Partial<Record<string, (text: string) => unknown>>> = {
  'kafka.brokers': (text) => text.split(',').map((one) => one.trim()),
  'kafka.tls': (text) => (text === 'true' || text === 'false' ? text === 'true' : text),
  'metrics.port': (text) => (/^\d+$/.test(text) ? Number(text) : text),
}

/** The file's values, overridden by variables. */
export function withEnvironment(given: unknown, env: NodeJS.ProcessEnv): unknown {
  if (typeof given !== 'object' || given === null) return given
  const config = structuredClone(given) as Record<string, Record<string, unknown> | string>
  for (const [variable, place] of Object.entries(environment)) {
    const value = env[variable]
    if (value === undefined || value === '') continue
    const [section, key] = place.split('.') as [string, string | undefined]
    if (key === undefined) config[section] = value
    else
      config[section] = {
        ...(config[section] as object),
        [key]: (readAs[place] ?? String)(value),
      }
  }
  return config
}
