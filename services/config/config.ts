import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { plainName, plainNameRule } from '../../topologies/run-config.ts'
import { parseConfigWith } from '../../topologies/selection/config.ts'
import { defaultActors } from '../../topologies/selection/default-actors.ts'
import { labelerConfig } from '../labeler/labeler.ts'
import { WinnowError } from '../runtime/errors.ts'
import { metricsPortDefault } from '../runtime/metrics/server.ts'

const actorLabels = z.strictObject({
  subcategories: z
    .array(z.string().min(1))
    .min(1)
    .refine((names) => new Set(names).size === names.length, 'must not name one twice')
    .optional()
    .describe('Names in their order; quality, domain and topic have theirs'),
  labeler: labelerConfig.describe('How its labels are found'),
})

/** Topics and columns are named after actors; a column has _ where a name has -, so names must differ in more than that. */
const actors = z
  .record(z.string().regex(plainName, plainNameRule), actorLabels)
  .refine((given) => Object.keys(given).length > 0, 'must have at least one actor')
  .refine((given) => {
    const names = Object.keys(given)
    return new Set(names.map((name) => name.replaceAll('-', '_'))).size === names.length
  }, 'has two names that differ only in - and _')

/** The paper's actors: what SlimPajama needs. */
const defaultLabelers: ActorsInput = {
  quality: { labeler: { kind: 'hashed', model: 'shipped:quality' } },
  domain: { labeler: { kind: 'metadata' } },
  topic: { labeler: { kind: 'hashed', model: 'shipped:topic' } },
}

const positiveCount = z.int().min(1)

const withoutPassword = (url: string) => !/^[a-z][a-z0-9+.-]*:\/\/[^/@]*:[^/@]+@/i.test(url)
const passwordRule = 'must not hold a password: secrets are in the environment, or in files that it names'

/** The whole of winnow.yaml; what is said of each key here is its reference (docs/winnow-yaml.md) and what an editor shows. */
export const configSchema = z.strictObject({
  kafka: z
    .strictObject({
      brokers: z
        .array(z.string().min(1))
        .default([])
        .describe('Addresses of your brokers, host:port. None: winnow dev starts one here'),
      tls: z.boolean().default(false).describe('Whether the brokers are spoken to over TLS'),
      ca: z.string().optional().describe("File with the certificates to trust, PEM; left out: the system's"),
      certificate: z.string().optional().describe('File with the certificate of this client, PEM (mutual TLS)'),
      key: z.string().optional().describe('File with the key of that certificate, PEM'),
      sasl: z
        .enum(['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'])
        .optional()
        .describe(
          'How to log in. The password is in WINNOW_KAFKA_PASSWORD, the token of oauthbearer in WINNOW_KAFKA_TOKEN, or in the file that the same with _FILE names',
        ),
      username: z.string().min(1).optional().describe('Who logs in by plain or scram'),
    })
    .prefault({})
    .describe('Kafka'),
  registry: z
    .strictObject({
      url: z.url().optional().describe('Address of your registry; needed where brokers are named'),
      username: z
        .string()
        .min(1)
        .optional()
        .describe(
          'Who logs in; the password is in WINNOW_REGISTRY_PASSWORD, or in the file of WINNOW_REGISTRY_PASSWORD_FILE',
        ),
    })
    .prefault({})
    .describe("The schema registry, any that speaks Confluent's interface"),
  clickhouse: z
    .strictObject({
      url: z.string().optional().describe('http://host:8123 or https://host:8443; needed where brokers are named'),
      username: z
        .string()
        .min(1)
        .optional()
        .describe(
          'Who logs in; the password is in WINNOW_CLICKHOUSE_PASSWORD, or in the file of WINNOW_CLICKHOUSE_PASSWORD_FILE',
        ),
      database: z.string().optional().describe("Its database; left out, the user's own"),
    })
    .prefault({})
    .describe('ClickHouse, which keeps the corpus'),
  dataFolder: z
    .string()
    .default('.winnow')
    .describe("What winnow dev keeps; a relative path starts at this file's folder"),
  corpus: z
    .strictObject({
      partitions: z
        .int()
        .min(1)
        .max(1024)
        .default(4)
        .describe('Partitions of documents and of every label topic: as many instances of a labeler may run'),
      bytesPerToken: z
        .number()
        .positive()
        .default(4)
        .describe('Bytes of a token in the estimate that ingest makes for token budgets'),
      textField: z
        .string()
        .min(1)
        .default('text')
        .describe('Where the rows that are ingested have their text: a key, or keys with points between'),
    })
    .prefault({})
    .describe('The topics that all runs share'),
  metrics: z
    .strictObject({
      enabled: z.boolean().default(true).describe('Whether services serve /metrics and /healthz'),
      port: z
        .int()
        .min(0)
        .max(65535)
        .optional()
        .describe(
          `Port of this process; 0: any free one. Left out: ${metricsPortDefault}, or a free one where that is taken`,
        ),
      host: z
        .string()
        .min(1)
        .default('127.0.0.1')
        .describe('Address to listen on. One that others can reach needs a token, or openly: true'),
      token: z
        .string()
        .min(16)
        .optional()
        .meta({ writeOnly: true, description: 'Scrapers send it as Authorization: Bearer TOKEN' }),
      openly: z.boolean().default(false).describe('Serves others without a token: for a network that is closed itself'),
    })
    .prefault({})
    .describe('Prometheus metrics of every service'),
  influence: z
    .strictObject({
      workers: z
        .int()
        .min(0)
        .default(1)
        .describe(
          'Threads that compute rewards, each on one core; rewards do not depend on it. 0: other processes answer (services/influence/torch)',
        ),
      checkpointMiBMax: positiveCount
        .default(1024)
        .describe('Memory for the checkpoints used last, shared by the threads; what is in use always fits'),
      device: z
        .enum(['cpu', 'cuda'])
        .default('cpu')
        .describe('cuda needs an NVIDIA device and the CUDA libraries of onnxruntime-node (docs/influence.md)'),
    })
    .prefault({})
    .describe('What computing rewards may take of this machine'),
  tracing: z
    .strictObject({
      ratio: z
        .number()
        .min(0)
        .max(1)
        .default(1)
        .describe('Share of documents whose trace context is carried in headers, the same ones at every station'),
    })
    .prefault({})
    .describe('W3C trace contexts; spans are exported where an OpenTelemetry SDK is registered (docs/operating.md)'),
  actors: actors
    .optional()
    .describe("Left out: quality, domain and topic, as for SlimPajama. An actor's name is its key"),
})

type ActorsInput = NonNullable<z.input<typeof configSchema>['actors']>

export interface ActorLabels {
  readonly name: string
  readonly subcategories: string[]
  readonly labeler: z.output<typeof labelerConfig>
}

export interface Config extends Omit<z.output<typeof configSchema>, 'actors'> {
  readonly actors: ActorLabels[]
  /** The configuration file's folder, where its relative paths start; the working folder without a file. */
  readonly baseFolder: string
  /** The file that was read, if any. */
  readonly file: string | undefined
}

/** Environment variables, and the place in the configuration that each one overrides. */
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
  WINNOW_DATA: 'dataFolder',
  WINNOW_METRICS_PORT: 'metrics.port',
  WINNOW_METRICS_HOST: 'metrics.host',
  WINNOW_METRICS_TOKEN: 'metrics.token',
} as const

/** How a variable's text becomes a value that is no text. A number that is none stays as it is, for the schema to name it. */
const readAs: Readonly<Partial<Record<string, (text: string) => unknown>>> = {
  'kafka.brokers': (text) => text.split(',').map((one) => one.trim()),
  'kafka.tls': (text) => (text === 'true' || text === 'false' ? text === 'true' : text),
  'metrics.port': (text) => (/^\d+$/.test(text) ? Number(text) : text),
}

/**
 * The configuration: flag > environment > file > default. The file is the one given, else winnow.yaml in the working folder if it is there.
 * @throws WinnowError CONFIGURATION naming the path of every problem
 */
export function loadConfig(
  options: { file?: string; env?: NodeJS.ProcessEnv; folder?: string; dataFolder?: string } = {},
): Config {
  const { env = process.env, folder = process.cwd() } = options
  const { file, given } = configFile({ folder, ...options })
  refusePassword(file, given)
  const parsed = namingWhere(file, env, () => parseConfigWith(configSchema, withEnvironment(given, env)))
  const baseFolder = file === undefined ? folder : dirname(file)
  const dataFolder = resolve(
    options.dataFolder === undefined ? baseFolder : folder,
    options.dataFolder ?? parsed.dataFolder,
  )
  const known = namingWhere(file, env, () => actorsOf(parsed.actors ?? defaultLabelers))
  return { ...parsed, actors: known, dataFolder, baseFolder, file }
}

/** The configuration file that counts, if any, and what it holds, unchecked. */
export function configFile({ file: named, folder = process.cwd() }: { file?: string; folder?: string }): {
  file: string | undefined
  given: unknown
} {
  const fallback = join(folder, 'winnow.yaml')
  const file = named === undefined ? (existsSync(fallback) ? fallback : undefined) : resolve(folder, named)
  return { file, given: file === undefined ? {} : (readYaml(file) ?? {}) }
}

/** A file is copied, shown and committed: an address with a password may stand in the environment alone. */
function refusePassword(file: string | undefined, given: unknown): void {
  const sections = given as Partial<Record<string, { url?: unknown }>>
  for (const section of ['registry', 'clickhouse']) {
    const url = sections[section]?.url
    if (typeof url !== 'string' || withoutPassword(url)) continue
    const variable = `WINNOW_${section.toUpperCase()}_PASSWORD`
    throw new WinnowError('CONFIGURATION', `${file}: ${section}.url: ${passwordRule}`, {
      hint: `Set ${section}.username, and ${variable} or ${variable}_FILE.`,
    })
  }
}

/** Puts the file before what is wrong in it, and says which variables had a part in it. */
function namingWhere<T>(file: string | undefined, env: NodeJS.ProcessEnv, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof WinnowError)) throw error
    const variables = Object.entries(environment).filter(([variable, place]) => {
      return env[variable] && error.message.includes(`${place}:`)
    })
    const set = variables.map(([variable, place]) => `${variable} sets ${place}.`)
    throw new WinnowError(error.code, file === undefined ? error.message : `${file}: ${error.message}`, {
      hint: [error.hint, ...set].filter((part) => part !== undefined).join(' '),
      cause: error,
    })
  }
}

/** A YAML or JSON file that a person wrote. @throws WinnowError CONFIGURATION naming the file, and the line where it is no YAML */
export function readYaml(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new WinnowError('CONFIGURATION', `${file}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      hint: 'Give a readable YAML or JSON file.',
      cause,
    })
  }
}

function withEnvironment(given: unknown, env: NodeJS.ProcessEnv): unknown {
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

function actorsOf(actors: ActorsInput): ActorLabels[] {
  return Object.entries(actors).map(([name, { subcategories, labeler }]) => {
    const known = subcategories ?? (Object.hasOwn(defaultActors, name) ? [...(defaultActors[name] ?? [])] : undefined)
    if (known === undefined) {
      throw new WinnowError('CONFIGURATION', `configuration: actors.${name}.subcategories is missing`, {
        hint: 'Name the subcategories in their order; only quality, domain and topic have defaults.',
      })
    }
    return { name, subcategories: known, labeler: labelerConfig.parse(labeler) }
  })
}
