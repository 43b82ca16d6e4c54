import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parse } from 'yaml'
import { parseConfigWith } from '../../topologies/selection/config.ts'
import { defaultActors } from '../../topologies/selection/default-actors.ts'
import { labelerConfig, subcategoriesBy } from '../labeler/labeler.ts'
import { WinnowError } from '../runtime/errors.ts'
import { type ActorLabels, type ActorsInput, type Config, configSchema } from './config.ts'
import { environment, withEnvironment } from './environment.ts'

/** The paper's actors: what SlimPajama needs. */
const defaultLabelers: ActorsInput = {
  quality: { labeler: { kind: 'hashed', model: 'shipped:quality' } },
  domain: { labeler: { kind: 'metadata' } },
  topic: { labeler: { kind: 'hashed', model: 'shipped:topic' } },
}

const withoutPassword = (url: string) => !/^[a-z][a-z0-9+.-]*:\/\/[^/@]*:[^/@]+@/i.test(url)
const passwordRule = 'must not hold a password: secrets are in the environment, or in files that it names'

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

/** The configuration file in use, if any, and its unchecked contents. */
export function configFile({ file: named, folder = process.cwd() }: { file?: string; folder?: string }): {
  file: string | undefined
  given: unknown
} {
  const fallback = join(folder, 'winnow.yaml')
  const file = named === undefined ? (existsSync(fallback) ? fallback : undefined) : resolve(folder, named)
  return { file, given: file === undefined ? {} : (readYaml(file) ?? {}) }
}

/** Files are copied, shown and committed: an address with a password may only be in the environment. */
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

/** Prefixes problems with the file, and names the variables involved. */
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

/** A YAML or JSON file written by a person. @throws WinnowError CONFIGURATION naming the file, and the line if it is not YAML */
export function readYaml(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8'), { merge: true })
  } catch (cause) {
    throw new WinnowError('CONFIGURATION', `${file}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      hint: 'Give a readable YAML or JSON file.',
      cause,
    })
  }
}

/** The actors of another file than winnow.yaml, in the same form; left out: the usual ones. @throws WinnowError CONFIGURATION naming file and place */
export const actorsOfFile = (file: string, given: unknown): ActorLabels[] =>
  namingWhere(file, {}, () => actorsOf(parseConfigWith(configSchema, { actors: given }).actors ?? defaultLabelers))

function actorsOf(actors: ActorsInput): ActorLabels[] {
  return Object.entries(actors).map(([name, { subcategories, labeler: given }]) => {
    const labeler = labelerConfig.parse(given)
    const usual = subcategoriesBy(labeler) ?? (Object.hasOwn(defaultActors, name) ? defaultActors[name] : undefined)
    const known = subcategories ?? (usual && [...usual])
    if (known === undefined) {
      throw new WinnowError('CONFIGURATION', `configuration: actors.${name}.subcategories is missing`, {
        hint: 'List the subcategories in order; only quality, domain and topic have defaults, and some kinds of labelers.',
      })
    }
    return { name, subcategories: known, labeler }
  })
}
