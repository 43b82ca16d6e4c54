import { z } from 'zod'
import { plainName, plainNameRule } from '../../topologies/run-config.ts'
import { labelerConfig } from '../labeler/labeler.ts'
import { metricsPortDefault } from '../runtime/metrics/server.ts'

const actorLabels = z.strictObject({
  subcategories: z
    .array(z.string().min(1))
    .min(1)
    .refine((names) => new Set(names).size === names.length, 'must not name one twice')
    .optional()
    .describe('Names, in order; quality, domain and topic have defaults'),
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

const positiveCount = z.int().min(1)

/** The whole of winnow.yaml; the descriptions of its keys are the reference (docs/winnow-yaml.md) and what an editor shows. */
export const configSchema = z.strictObject({
  kafka: z
    .strictObject({
      brokers: z
        .array(z.string().min(1))
        .default([])
        .describe('Addresses of your brokers, host:port. Default: winnow dev starts one here'),
      tls: z.boolean().default(false).describe('Whether to connect to the brokers over TLS'),
      ca: z.string().optional().describe("File with the certificates to trust, PEM; default: the system's"),
      certificate: z.string().optional().describe('File with the certificate of this client, PEM (mutual TLS)'),
      key: z.string().optional().describe('File with the key of that certificate, PEM'),
      sasl: z
        .enum(['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'])
        .optional()
        .describe(
          'How to log in. The password is in WINNOW_KAFKA_PASSWORD, the token of oauthbearer in WINNOW_KAFKA_TOKEN, or in the file that the same variable with _FILE names',
        ),
      username: z.string().min(1).optional().describe('User name for plain or scram'),
    })
    .prefault({})
    .describe('Kafka'),
  registry: z
    .strictObject({
      url: z.url().optional().describe('Address of your registry; required if brokers are set'),
      username: z
        .string()
        .min(1)
        .optional()
        .describe(
          'User name; the password is in WINNOW_REGISTRY_PASSWORD, or in the file of WINNOW_REGISTRY_PASSWORD_FILE',
        ),
    })
    .prefault({})
    .describe("The schema registry, any that speaks Confluent's interface"),
  clickhouse: z
    .strictObject({
      url: z.string().optional().describe('http://host:8123 or https://host:8443; required if brokers are set'),
      username: z
        .string()
        .min(1)
        .optional()
        .describe(
          'User name; the password is in WINNOW_CLICKHOUSE_PASSWORD, or in the file of WINNOW_CLICKHOUSE_PASSWORD_FILE',
        ),
      database: z.string().optional().describe("Its database; default: the user's own"),
      cluster: z
        .string()
        .min(1)
        .optional()
        .describe(
          'A cluster of its configuration (remote_servers), over whose shards the tables are spread (docs/clickhouse.md). Default: one server',
        ),
    })
    .prefault({})
    .describe('ClickHouse, which keeps the corpus'),
  dataFolder: z
    .string()
    .default('.winnow')
    .describe("Data of winnow dev; a relative path starts at this file's folder"),
  corpus: z
    .strictObject({
      partitions: z
        .int()
        .min(1)
        .max(1024)
        .default(4)
        .describe('Partitions of documents and of every label topic: the maximum number of instances of a labeler'),
      bytesPerToken: z
        .number()
        .positive()
        .default(4)
        .describe('Bytes per token, by which ingest estimates tokens for budgets'),
      textField: z
        .string()
        .min(1)
        .default('text')
        .describe('Field with the text of rows: a key, or keys joined by dots'),
      textFields: z
        .record(z.string().min(1), z.string().min(1))
        .default({})
        .describe(
          'The same for some sources, by name: `redpajama-v2/*: raw_content`; * stands for any characters, and the first that fits counts',
        ),
      recordBytesMax: z
        .int()
        .min(1_048_588)
        .max(64 * 1024 * 1024)
        .default(8 * 1024 * 1024)
        .describe(
          'Maximum bytes of a document as a record, compressed if necessary: max.message.bytes of the topics with texts, when they are created',
        ),
      rowGroupBytesMax: z
        .int()
        .min(1024 * 1024)
        .max(16 * 1024 ** 3)
        .default(1024 ** 3)
        .describe(
          'Bytes of a Parquet row group that ingest may unpack into memory at a time. Of larger groups lists and structs are unpacked whole, other columns page by page',
        ),
      longDocuments: z
        .enum(['whole', 'split'])
        .default('whole')
        .describe(
          'whole: a row is one document, and rejected if it is too long for a record; split: rows with texts longer than pieceBytes become several documents',
        ),
      pieceBytes: z
        .int()
        .min(600_000)
        .max(64 * 1024 * 1024)
        .default(1_000_000)
        .describe('Maximum bytes (UTF-8) of a piece of a split text'),
      encryption: z
        .string()
        .min(1)
        .optional()
        .describe(
          'File of master keys (winnow keys create): ingest encrypts texts, each by a key of its own that an erasure destroys, and what reads texts decrypts them (docs/erasure.md). Default: texts are as they were ingested',
        ),
    })
    .prefault({})
    .describe('The topics that all runs share'),
  metrics: z
    .strictObject({
      enabled: z.boolean().default(true).describe('Whether services serve /metrics, /healthz, /livez and /readyz'),
      port: z
        .int()
        .min(0)
        .max(65535)
        .optional()
        .describe(
          `Port of this process; 0: any free one. Default: ${metricsPortDefault}, or a free one if that is taken`,
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
      openly: z
        .boolean()
        .default(false)
        .describe('Serves others without a token: for networks that are closed themselves'),
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
        .describe('Memory for recently used checkpoints, shared by the threads; what is in use always fits'),
      device: z
        .enum(['cpu', 'cuda'])
        .default('cpu')
        .describe('cuda needs an NVIDIA device and the CUDA libraries of onnxruntime-node (docs/influence.md)'),
    })
    .prefault({})
    .describe('The resources of this machine that rewards may use'),
  archives: z
    .strictObject({
      memoryMiBMax: z
        .int()
        .min(256)
        .default(2048)
        .describe(
          'Memory of the embedded database by which archives of runs are read (docs/archives.md): what needs more goes to disk',
        ),
      scratch: z
        .string()
        .min(1)
        .optional()
        .describe("Folder for what is read of them, removed at the end; default: the system's for temporary files"),
    })
    .prefault({})
    .describe('Reading archives of runs'),
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
    .describe("Default: quality, domain and topic, as for SlimPajama. An actor's name is its key"),
})

/** Actors as in the file, by name. */
export type ActorsInput = NonNullable<z.input<typeof configSchema>['actors']>

export interface ActorLabels {
  readonly name: string
  readonly subcategories: string[]
  readonly labeler: z.output<typeof labelerConfig>
}

export interface Config extends Omit<z.output<typeof configSchema>, 'actors'> {
  readonly actors: ActorLabels[]
  /** The configuration file's folder, against which relative paths are resolved; the working folder without a file. */
  readonly baseFolder: string
  /** The file that was read, if any. */
  readonly file: string | undefined
}
