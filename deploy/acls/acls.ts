import { readFileSync } from 'node:fs'
import kafkajs, { type AclEntry } from 'kafkajs'
import { parse } from 'yaml'
import { z } from 'zod'
import { WinnowError } from '../../services/runtime/errors.ts'

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs

const operations = [
  'Read',
  'Write',
  'Create',
  'Delete',
  'Alter',
  'AlterConfigs',
  'Describe',
  'DescribeConfigs',
] as const
const kinds = ['topic', 'group', 'transaction', 'cluster'] as const

const rule = z
  .strictObject({
    topic: z.string().optional(),
    group: z.string().optional(),
    transaction: z.string().optional(),
    cluster: z.string().optional(),
    allow: z.array(z.enum(operations)).min(1),
  })
  .refine((one) => kinds.filter((kind) => one[kind] !== undefined).length === 1, 'names one resource')

const schema = z.strictObject({ everyone: z.array(rule), services: z.record(z.string(), z.array(rule)) })

/** One permission: an operation on a resource, or on all resources with a prefix. */
export interface Permission {
  readonly kind: (typeof kinds)[number]
  readonly name: string
  readonly prefixed: boolean
  readonly operation: (typeof operations)[number]
}

const known = schema.parse(parse(readFileSync(new URL('./acls.yaml', import.meta.url), 'utf8')))

export const serviceNames: readonly string[] = Object.keys(known.services)

/** The permissions of a service, for one actor or run if its rules name one. @throws WinnowError USAGE if it is not given */
export function permissionsOf(service: string, names: { actor?: string; run?: string }): Permission[] {
  const rules = known.services[service]
  if (rules === undefined) {
    throw new WinnowError('USAGE', `there is no service ${service}`, { hint: `Services: ${serviceNames.join(', ')}.` })
  }
  return [...known.everyone, ...rules].flatMap((one) => {
    const kind = kinds.find((candidate) => one[candidate] !== undefined)!
    const pattern = filledIn(one[kind]!, service, names)
    const prefixed = pattern.endsWith('*')
    const name = prefixed ? pattern.slice(0, -1) : pattern
    return one.allow.map((operation) => ({ kind, name, prefixed, operation }))
  })
}

function filledIn(pattern: string, service: string, { actor, run }: { actor?: string; run?: string }): string {
  return pattern.replace(/ACTOR|RUN/, (word) => {
    const value = word === 'ACTOR' ? actor : run
    if (value !== undefined) return value
    const option = `--${word.toLowerCase()}`
    throw new WinnowError('USAGE', `the permissions of ${service} are for one ${word.toLowerCase()}`, {
      hint: `Name it with ${option}.`,
    })
  })
}

const toolOptions = {
  topic: '--topic',
  group: '--group',
  transaction: '--transactional-id',
  cluster: '--cluster',
} as const

/** The command of Kafka's own tool for one permission. */
export function commandOf(principal: string, { kind, name, prefixed, operation }: Permission): string {
  const resource = kind === 'cluster' ? toolOptions.cluster : `${toolOptions[kind]} '${name}'`
  const pattern = prefixed ? ' --resource-pattern-type prefixed' : ''
  return `kafka-acls.sh --bootstrap-server "$BROKERS" --add --allow-principal '${principal}' --operation ${operation} ${resource}${pattern}`
}

const resourceTypes = {
  topic: AclResourceTypes.TOPIC,
  group: AclResourceTypes.GROUP,
  transaction: AclResourceTypes.TRANSACTIONAL_ID,
  cluster: AclResourceTypes.CLUSTER,
} as const

const operationTypes = {
  Read: AclOperationTypes.READ,
  Write: AclOperationTypes.WRITE,
  Create: AclOperationTypes.CREATE,
  Delete: AclOperationTypes.DELETE,
  Alter: AclOperationTypes.ALTER,
  AlterConfigs: AclOperationTypes.ALTER_CONFIGS,
  Describe: AclOperationTypes.DESCRIBE,
  DescribeConfigs: AclOperationTypes.DESCRIBE_CONFIGS,
} as const

/** The same in the broker's form. */
export const entryOf = (principal: string, { kind, name, prefixed, operation }: Permission): AclEntry => ({
  principal,
  host: '*',
  resourceType: resourceTypes[kind],
  resourceName: name,
  resourcePatternType: prefixed ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
  operation: operationTypes[operation],
  permissionType: AclPermissionTypes.ALLOW,
})
