import { type Config, configSchema } from './config.ts'
import { environment } from './environment.ts'
import { fieldsOf, jsonSchemaOf } from './fields.ts'
import { configFile, loadConfig } from './load.ts'

export type Origin = 'flag' | 'environment' | 'file' | 'default'

/** A value of the configuration in force, and its origin. */
export interface ConfigValue {
  readonly path: string
  /** null: not set. Secrets are masked. */
  readonly value: unknown
  readonly origin: Origin
  /** The flag, variable or file; undefined for a default. */
  readonly by?: string
}

type Options = NonNullable<Parameters<typeof loadConfig>[0]>

const mask = '***'
const flags: Readonly<Record<string, string>> = { dataFolder: '--data' }

/** Every value in force with its origin, in the order of the reference. @throws WinnowError CONFIGURATION as loadConfig does */
export function configOrigins(options: Options): ConfigValue[] {
  const { env = process.env } = options
  const config = loadConfig(options)
  const { given } = configFile(options)
  const secrets = new Set(fields.filter(({ secret }) => secret).map(({ path }) => path))
  return leavesOf(config).map(({ path, value }) => {
    const shown = secrets.has(path) && value !== undefined ? mask : masked(value)
    return { path, value: shown ?? null, ...originOf(path, { given, env, options, file: config.file }) }
  })
}

const fields = fieldsOf(jsonSchemaOf(configSchema))

function originOf(
  path: string,
  { given, env, options, file }: { given: unknown; env: NodeJS.ProcessEnv; options: Options; file: string | undefined },
): Pick<ConfigValue, 'origin' | 'by'> {
  const flag = flags[path]
  if (flag !== undefined && options.dataFolder !== undefined) return { origin: 'flag', by: flag }
  const variable = Object.entries(environment).find(([name, place]) => place === path && (env[name] ?? '') !== '')
  if (variable !== undefined) return { origin: 'environment', by: variable[0] }
  return file !== undefined && valueAt(given, path.split('.')) !== undefined
    ? { origin: 'file', by: file }
    : { origin: 'default' }
}

/** The values that are not sections: those of the schema, and for each actor its own. */
function leavesOf(config: Config): { path: string; value: unknown }[] {
  const actors = Object.fromEntries(config.actors.map(({ name, ...actor }) => [name, actor]))
  const own = fields.filter(({ path, section }) => !section && !path.startsWith('actors'))
  return [...own.map(({ path }) => ({ path, value: valueAt(config, path.split('.')) })), ...below('actors', actors)]
}

function below(path: string, value: unknown): { path: string; value: unknown }[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [{ path, value }]
  return Object.entries(value).flatMap(([key, part]) => below(`${path}.${key}`, part))
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  const [key, ...rest] = path
  if (key === undefined) return value
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
  return valueAt((value as Record<string, unknown>)[key], rest)
}

/** Addresses may carry a password. */
function masked(value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/^([a-z][a-z0-9+.-]*:\/\/[^/:@]*):[^/@]*@/i, `$1:${mask}@`) : value
}
