import { dirname, resolve } from 'node:path'
import { parseRunConfig, type RunConfig } from '../../topologies/run-config.ts'
import { defaultActors } from '../../topologies/selection/default-actors.ts'
import { weightRuleSchema } from '../../topologies/selection/initial-weights.ts'
import { readYaml } from '../config/load.ts'
import { isShipped } from '../model/shipped.ts'
import { WinnowError } from '../runtime/errors.ts'
import { schemeOf, shownPlace, storeOf } from '../runtime/stores/place.ts'
import { entryOf, type Fits, withFits, withoutCampaigns } from './run-file-campaigns.ts'

/** Versions of labelers by actor. */
type Versions = ReadonlyMap<string, string>

/** A run's file as parsed, without defaults. */
export interface RunFile {
  readonly file: string
  readonly given: unknown
}

/** Stands for a version while a file is read without knowing which versions are in force. */
const anyVersion = '0'

/**
 * Reads a run's file and refuses what is wrong with the file itself.
 * @throws WinnowError CONFIGURATION naming the file and every place in it
 */
export function readRunFile(path: string, folder: string): RunFile {
  const file = resolve(folder, path)
  const found = { file, given: readYaml(file) }
  const actors = (entryOf(found.given, 'selection') as { actors?: unknown } | undefined)?.actors
  const names = typeof actors === 'object' && actors !== null ? Object.keys(actors) : Object.keys(defaultActors)
  // What campaigns lead to is not known yet: equal weights stand for theirs.
  const given = withoutCampaigns(found.given)
  completeRun({ file, given }, new Map(names.map((name) => [name, anyVersion])))
  return found
}

/** The run with the rules that its file gives for initial weights beside the numbers that they became. */
function withRules(run: RunConfig, given: unknown): RunConfig {
  const actors = entryOf(entryOf(given, 'selection'), 'actors')
  const rules = run.selection.actors.flatMap(({ name }) => {
    const rule = weightRuleSchema.safeParse(entryOf(entryOf(actors, name), 'initialWeights'))
    return rule.success ? [[name, rule.data] as const] : []
  })
  return rules.length === 0 ? run : { ...run, initializedBy: { ...run.initializedBy, ...Object.fromEntries(rules) } }
}

/**
 * The run of a file as it is recorded: omitted labeler versions are those in force, initial weights and mixtures from campaigns and by rules are numbers, and paths, which are
 * relative to the file's folder, become absolute, so that stations started anywhere find the same files.
 * @throws WinnowError CONFIGURATION naming the file and every place in it
 */
export function completeRun({ file, given }: RunFile, inForce: Versions, fits: Fits = new Map()): RunConfig {
  try {
    const run = parseRunConfig(withVersions(withFits(given, fits), inForce))
    return withAbsolutePaths(withRules(run, given), dirname(file))
  } catch (error) {
    if (!(error instanceof WinnowError)) throw error
    throw new WinnowError(error.code, `${file}: ${error.message}`, {
      ...(error.hint !== undefined && { hint: error.hint }),
      cause: error,
    })
  }
}

function withVersions(given: unknown, inForce: Versions): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given
  const own = entryOf(given, 'labelers') ?? {}
  // Anything but a list of versions is refused by the schema.
  if (typeof own !== 'object' || Array.isArray(own)) return given
  const actors = (entryOf(given, 'selection') as { actors?: object } | undefined)?.actors ?? defaultActors
  const wanted = Object.keys(actors).filter((name) => inForce.has(name))
  return { ...given, labelers: { ...Object.fromEntries(wanted.map((name) => [name, inForce.get(name)])), ...own } }
}

/** @throws WinnowError CONFIGURATION: what would become a folder called `s3:` is refused */
function refuseAddress(key: string, place: string): void {
  if (schemeOf(place) === undefined) return
  throw new WinnowError('CONFIGURATION', `${key} is the address ${shownPlace(place)}, and has to be on this machine`, {
    hint: 'Download it, and name its path.',
  })
}

/** A folder, or an address that checkpoints can be written to. @throws WinnowError CONFIGURATION for other addresses */
function checkpointsOf(place: string, absolute: (path: string) => string): string {
  const store = storeOf(place)
  if (store !== 's3' && store !== 'gs' && schemeOf(place) !== undefined) {
    throw new WinnowError(
      'CONFIGURATION',
      `checkpoints is the address ${shownPlace(place)}, and nothing can be stored there`,
      {
        hint: 'Name a folder, or an address of s3:// or gs:// (docs/stores.md).',
      },
    )
  }
  return store === undefined ? absolute(place) : place
}

export function withAbsolutePaths(run: RunConfig, folder: string): RunConfig {
  const absolute = (path: string) => resolve(folder, path)
  const { reference, model, checkpoints } = run
  refuseAddress('model', model)
  return {
    ...run,
    model: isShipped(model) ? model : absolute(model),
    checkpoints: checkpointsOf(checkpoints, absolute),
    reference: {
      ...reference,
      reward: absolute(reference.reward),
      evaluation: absolute(reference.evaluation),
      corpus: absolute(reference.corpus),
      ...(reference.other !== undefined && { other: absolute(reference.other) }),
      ...(reference.moreRewards && { moreRewards: reference.moreRewards.map(absolute) }),
    },
  }
}
