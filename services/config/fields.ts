import { z } from 'zod'

/** JSON Schema as far as zod emits it for configurations. */
export interface JsonSchema {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly additionalProperties?: JsonSchema | boolean
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly required?: readonly string[]
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly maximum?: number
  readonly writeOnly?: boolean
}

/** One key of a configuration. `path` has a word in capitals for a name of the user's choice, and `[kind]` where kinds differ. */
export interface ConfigField {
  readonly path: string
  readonly type: string
  readonly required: boolean
  readonly default?: unknown
  readonly description: string
  /** Never shown. */
  readonly secret: boolean
  /** A section: its children are fields of their own. */
  readonly section: boolean
}

/** The JSON Schema of what may be written into a configuration file, for editors and for the reference. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      // zod adds the range of exact integers to every whole number: noise to readers.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
      delete jsonSchema.propertyNames
    },
  }) as JsonSchema
}

/** Every key of a configuration in the schema's order, sections before what is in them. */
export function fieldsOf(schema: JsonSchema, above = ''): ConfigField[] {
  const below = (name: string) => (above === '' ? name : `${above}.${name}`)
  const named = Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    fieldAndBelow(below(name), field, schema.required?.includes(name) === true),
  )
  const own = schema.additionalProperties
  return typeof own === 'object' && isSection(own) ? [...named, ...fieldAndBelow(below('NAME'), own, false)] : named
}

function fieldAndBelow(path: string, field: JsonSchema, required: boolean): ConfigField[] {
  const kinds = kindsOf(field)
  const described: ConfigField = {
    path,
    type: isSection(field) ? '' : typeOf(field),
    required,
    ...(field.default !== undefined && !isSection(field) && { default: field.default }),
    description: field.description ?? '',
    secret: field.writeOnly === true,
    section: isSection(field),
  }
  const further = kinds.flatMap((kind) =>
    fieldsOf({ ...kind, properties: withoutKind(kind) }, `${path}[${String(kind.properties?.kind?.const)}]`),
  )
  return [described, ...further, ...fieldsOf(field, path), ...fieldsOf(writtenOut(field) ?? {}, path)]
}

/** What a value that may also be a name, or another plain value, is when it is written out. */
function writtenOut({ anyOf = [] }: JsonSchema): JsonSchema | undefined {
  const sections = anyOf.filter(isSection)
  return sections.length === 1 && sections.length < anyOf.length ? sections[0] : undefined
}

const kindsOf = ({ oneOf = [] }: JsonSchema): readonly JsonSchema[] =>
  oneOf.filter(({ properties }) => properties?.kind?.const !== undefined)

const withoutKind = ({ properties }: JsonSchema): Record<string, JsonSchema> =>
  Object.fromEntries(Object.entries(properties ?? {}).filter(([name]) => name !== 'kind'))

const isSection = ({ properties, additionalProperties }: JsonSchema): boolean =>
  properties !== undefined || (typeof additionalProperties === 'object' && isSection(additionalProperties))

/** A type in words: `one of first, mean, max`, `whole number, at least 1`, `list of text`. */
function typeOf(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.length > 10 ? 'a name' : `one of ${schema.enum.join(', ')}`
  const kinds = kindsOf(schema)
  if (kinds.length > 0) return `kind: ${kinds.map(({ properties }) => properties?.kind?.const).join(', ')}`
  const branches = schema.anyOf ?? schema.oneOf
  const section = writtenOut(schema)
  if (branches !== undefined) return branches.map((one) => (one === section ? 'a section' : typeOf(one))).join(' or ')
  switch (schema.type) {
    case 'array':
      return `list of ${typeOf(schema.items ?? {})}`
    case 'integer':
      return `whole number${rangeOf(schema)}`
    case 'number':
      return `number${rangeOf(schema)}`
    case 'boolean':
      return 'true or false'
    case 'object':
      return objectType(schema)
    default:
      return 'text'
  }
}

function objectType({ properties, additionalProperties }: JsonSchema): string {
  if (properties !== undefined) return `{ ${Object.keys(properties).join(', ')} }`
  return typeof additionalProperties === 'object' && !isSection(additionalProperties)
    ? `NAME: ${typeOf(additionalProperties)}`
    : 'section by name'
}

function rangeOf({ minimum, exclusiveMinimum, maximum }: JsonSchema): string {
  if (minimum !== undefined && maximum !== undefined) return `, ${minimum} to ${maximum}`
  if (minimum !== undefined) return `, at least ${minimum}`
  if (exclusiveMinimum !== undefined) return `, over ${exclusiveMinimum}`
  return ''
}
