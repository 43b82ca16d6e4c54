import { dirname, resolve } from 'node:path'
import type { CampaignFit } from '../../schemas/index.ts'
import { parseRunConfig, type RunConfig } from '../../topologies/run-config.ts'
import { defaultActors } from '../../topologies/selection/default-actors.ts'
import { weightRuleSchema } from '../../topologies/selection/initial-weights.ts'
import { readYaml } from '../config/load.ts'
import { isShipped } from '../model/shipped.ts'
import { WinnowError } from '../runtime/errors.ts'

/** Versions of labelers by actor. */
type Versions = ReadonlyMap<string, string>

/** A run's file as parsed, without defaults. */
export interface RunFile {
  readonly file: string
  readonly given: unknown
}

/** What campaigns of proxies lead to, by name. */
type Fits = ReadonlyMap<string, Pick<CampaignFit, 'campaign' | 'inputs' | 'weights'> & { readonly actor: string }>

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

/** The campaigns whose weights the file asks for, by actor. */
export function campaignsOf({ given }: Pick<RunFile, 'given'>): Map<string, string> {
  const actors = entryOf(entryOf(given, 'selection'), 'actors')
  const entries = typeof actors === 'object' && actors !== null ? Object.entries(actors) : []
  return new Map(
    entries.flatMap(([name, actor]) => {
      const wanted = entryOf(actor, 'initialWeights')
      const from = entryOf(wanted, 'from')
      // Of a rule, from is a subcategory.
      return typeof from === 'string' && entryOf(wanted, 'rule') === undefined ? [[name, from] as const] : []
    }),
  )
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

/** The file with equal weights where it names campaigns. */
export function withoutCampaigns(given: unknown): unknown {
  return withActors(given, campaignsOf({ given }), ({ initialWeights: _, ...actor }) => actor)
}

/** Changes the actors named. */
function withActors(
  given: unknown,
  named: ReadonlyMap<string, unknown>,
  change: (actor: Record<string, unknown>, name: string) => unknown,
): unknown {
  if (named.size === 0) return given
  const selection = entryOf(given, 'selection') as object
  const actors = Object.entries(entryOf(selection, 'actors') as Record<string, Record<string, unknown>>)
  const changed = actors.map(([name, actor]) => [name, named.has(name) ? change(actor, name) : actor])
  return { ...(given as object), selection: { ...selection, actors: Object.fromEntries(changed) } }
}

/** @throws WinnowError CONFIGURATION where a campaign is not there, has no fit, or is of another actor */
function withWeights(given: unknown, fits: Fits): unknown {
  const campaigns = campaignsOf({ given })
  if (campaigns.size === 0) return given
  const fitOf = (name: string) => {
    const campaign = campaigns.get(name)!
    const fit = fits.get(campaign)
    const place = `selection.actors.${name}.initialWeights`
    if (fit === undefined) {
      throw new WinnowError('CONFIGURATION', `${place}: there is no campaign ${campaign} with a fit`, {
        hint: `winnow proxies list shows them; winnow proxies fit ${campaign} makes one.`,
      })
    }
    if (fit.actor !== name)
      throw new WinnowError('CONFIGURATION', `${place}: campaign ${campaign} is of actor ${fit.actor}`)
    return fit
  }
  const initializedBy = Object.fromEntries(
    [...campaigns].map(([name, campaign]) => [name, { campaign, inputs: fitOf(name).inputs }]),
  )
  const resolved = withActors(given, campaigns, (actor, name) => ({ ...actor, initialWeights: fitOf(name).weights }))
  return { ...(resolved as object), initializedBy }
}

/**
 * The run of a file as it is recorded: omitted labeler versions are those in force, initial weights from campaigns and by rules are numbers, and paths, which are
 * relative to the file's folder, become absolute, so that stations started anywhere find the same files.
 * @throws WinnowError CONFIGURATION naming the file and every place in it
 */
export function completeRun({ file, given }: RunFile, inForce: Versions, fits: Fits = new Map()): RunConfig {
  try {
    const run = parseRunConfig(withVersions(withWeights(given, fits), inForce))
    return withAbsolutePaths(withRules(run, given), dirname(file))
  } catch (error) {
    if (!(error instanceof WinnowError)) throw error
    throw new WinnowError(error.code, `${file}: ${error.message}`, {
      ...(error.hint !== undefined && { hint: error.hint }),
      cause: error,
    })
  }
}

const entryOf = (given: unknown, key: string): unknown =>
  typeof given === 'object' && given !== null ? (given as Record<string, unknown>)[key] : undefined

function withVersions(given: unknown, inForce: Versions): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given
  const own = entryOf(given, 'labelers') ?? {}
  // Anything but a list of versions is refused by the schema.
  if (typeof own !== 'object' || Array.isArray(own)) return given
  const actors = (entryOf(given, 'selection') as { actors?: object } | undefined)?.actors ?? defaultActors
  const wanted = Object.keys(actors).filter((name) => inForce.has(name))
  return { ...given, labelers: { ...Object.fromEntries(wanted.map((name) => [name, inForce.get(name)])), ...own } }
}

export function withAbsolutePaths(run: RunConfig, folder: string): RunConfig {
  const absolute = (path: string) => resolve(folder, path)
  const { reference, model, checkpoints } = run
  return {
    ...run,
    model: isShipped(model) ? model : absolute(model),
    checkpoints: absolute(checkpoints),
    reference: {
      ...reference,
      reward: absolute(reference.reward),
      evaluation: absolute(reference.evaluation),
      corpus: absolute(reference.corpus),
      ...(reference.moreRewards && { moreRewards: reference.moreRewards.map(absolute) }),
    },
  }
}
