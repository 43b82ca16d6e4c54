import { z } from 'zod'
import { configSchema } from '../../services/config/config.ts'
import { jsonSchemaOf } from '../../services/config/fields.ts'

/** What Kubernetes itself defines is checked by Kubernetes. */
const object = z.looseObject({})
const objects = z.array(object)
const texts = z.record(z.string(), z.string())
const name = z.string().min(1)
const port = z.int().min(1).max(65535)

/** winnow.yaml, or a part of it; replaced by a reference to the one schema below. */
const config = z.unknown()

const secret = z.strictObject({ name: name.optional(), key: name.optional() })
const client = z.strictObject({ name: name.optional(), certificate: name.optional(), key: name.optional() })

const image = z.strictObject({
  repository: name,
  tag: z.string(),
  digest: z.string().regex(/^(sha256:[0-9a-f]{64})?$/),
  pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']),
  pullSecrets: objects,
})
const autoscaling = z.strictObject({
  enabled: z.boolean(),
  min: z.int().min(1),
  max: z.int().min(1),
  lagRecords: z.int().min(1),
  stabilizationSeconds: z.int().min(0).max(3600),
})
const workload = z.strictObject({
  replicas: z.int().min(0),
  resources: object,
  scratch: z.string().regex(/^\d+(\.\d+)?([EPTGMK]i?)?$/),
  nodeSelector: texts,
  tolerations: objects,
  affinity: object,
  topologySpreadConstraints: objects,
  priorityClassName: z.string(),
  podAnnotations: texts,
  podLabels: texts,
  env: objects,
  autoscaling,
})
/** What a workload may say otherwise than `defaults`. */
const own = workload.partial().extend({
  autoscaling: autoscaling.partial().optional(),
  image: image.omit({ pullPolicy: true, pullSecrets: true }).partial().optional(),
  config: config.optional(),
})
/** There is exactly one of it. */
const alone = own.omit({ replicas: true, autoscaling: true })
const claim = z.strictObject({ existingClaim: z.string() })

const values = z.strictObject({
  image,
  config,
  secrets: z
    .strictObject({
      kafkaPassword: secret,
      kafkaToken: secret,
      registryPassword: secret,
      clickhousePassword: secret,
      kafkaCa: secret,
      kafkaClient: client,
      extraCa: secret,
      masterKeys: secret,
      metricsToken: secret,
      boardToken: secret,
    })
    .partial(),
  storage: z.strictObject({
    checkpoints: claim.extend({
      size: z.string().regex(/^(\d+(\.\d+)?([EPTGMK]i?)?)?$/),
      storageClassName: z.string(),
      accessModes: z.array(z.enum(['ReadWriteOnce', 'ReadWriteMany', 'ReadWriteOncePod'])).min(1),
    }),
    models: claim,
    corpus: claim,
  }),
  labelers: z.record(z.string(), own.extend({ actors: z.array(name).min(1) })),
  labelSink: own,
  decontamination: own.omit({ autoscaling: true }).extend({ enabled: z.boolean() }),
  duplicates: own.omit({ autoscaling: true }).extend({ enabled: z.boolean() }),
  runs: z.record(
    z.string(),
    z
      .strictObject({
        stations: alone.optional(),
        influence: own.optional(),
        trainer: alone.extend({ enabled: z.boolean() }).optional(),
      })
      .nullable(),
  ),
  board: alone.extend({ enabled: z.boolean(), port }),
  tools: alone.extend({ enabled: z.boolean() }),
  ingest: alone.extend({
    mode: z.enum(['none', 'job', 'watch']),
    paths: z.array(name).min(1),
    args: z.array(z.string()),
    poll: z.boolean(),
  }),
  defaults: workload,
  keda: z.strictObject({ prometheusAddress: z.url(), authenticationRef: z.string(), authModes: z.string() }),
  terminationGracePeriodSeconds: z.int().min(20),
  podDisruptionBudgets: z.strictObject({ enabled: z.boolean() }),
  serviceAccount: z.strictObject({ create: z.boolean(), name: z.string(), annotations: texts }),
  networkPolicy: z.strictObject({
    enabled: z.boolean(),
    metricsFrom: objects,
    boardFrom: objects,
    kafkaPorts: z.array(port),
    extraEgress: objects,
  }),
  monitoring: z.strictObject({
    podMonitor: z.strictObject({ enabled: z.boolean(), interval: z.string(), labels: texts }),
    prometheusRule: z.strictObject({ enabled: z.boolean(), labels: texts, runbookBase: z.string() }),
  }),
  // Helm hands a chart the values of the release around it.
  global: object.optional(),
})

type Json = Record<string, unknown>

/**
 * The JSON Schema of the chart's values, in which `config` is winnow.yaml by its own schema, without what is secret: that is given by reference
 * to a Secret.
 */
export function helmValuesSchema(): Json {
  const winnow = withoutSecrets(jsonSchemaOf(configSchema) as Json)
  const { $schema, ...own } = withReferences(jsonSchemaOf(values) as Json) as Json
  delete winnow.$schema
  return { $schema, title: "values of winnow's chart", ...own, $defs: { winnow } }
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Every `config` becomes a reference to the schema of winnow.yaml. */
function withReferences(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withReferences)
  if (!isObject(schema)) return schema
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [
      key,
      key === 'properties' && isObject(value) && 'config' in value
        ? { ...(withReferences(value) as Json), config: { $ref: '#/$defs/winnow' } }
        : withReferences(value),
    ]),
  )
}

function withoutSecrets(schema: Json): Json {
  const keep = ([, value]: [string, unknown]) => !(isObject(value) && value.writeOnly === true)
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => {
      if (!isObject(value)) return [key, value]
      const inner = key === 'properties' ? Object.fromEntries(Object.entries(value).filter(keep)) : value
      return [key, withoutSecrets(inner)]
    }),
  )
}
