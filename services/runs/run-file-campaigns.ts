import type { CampaignFit } from '../../schemas/index.ts'
import { WinnowError } from '../runtime/errors.ts'

/** What campaigns of proxies lead to, by name. */
export type Fits = ReadonlyMap<
  string,
  Pick<CampaignFit, 'campaign' | 'inputs' | 'weights' | 'shares'> & { readonly actor: string }
>

/** Whether a run's file names campaigns anywhere. */
export const namesCampaigns = ({ given }: { readonly given: unknown }): boolean =>
  initializing(given).size > 0 || mixing(given) !== undefined

/** The file without what it names campaigns for: equal weights, and no mixture. */
export function withoutCampaigns(given: unknown): unknown {
  const bare = withActors(given, initializing(given), ({ initialWeights: _, ...actor }) => actor)
  return mixing(given) === undefined ? bare : withStrategy(bare, ({ mixture: _, ...strategy }) => strategy)
}

/**
 * The file with numbers for what it names campaigns for, and which fits they are of.
 * @throws WinnowError CONFIGURATION where a campaign is not there, has no fit, or is of another actor
 */
export function withFits(given: unknown, fits: Fits): unknown {
  const resolved = withMixture(given, fits)
  const campaigns = initializing(given)
  if (campaigns.size === 0) return resolved
  const fitFor = (name: string) => {
    const place = `selection.actors.${name}.initialWeights`
    const fit = fitNamed(campaigns.get(name)!, fits, place)
    if (fit.actor !== name)
      throw new WinnowError('CONFIGURATION', `${place}: campaign ${fit.campaign} is of actor ${fit.actor}`)
    return fit
  }
  const initializedBy = Object.fromEntries(
    [...campaigns].map(([name, campaign]) => [name, { campaign, inputs: fitFor(name).inputs }]),
  )
  const weighted = withActors(resolved, campaigns, (actor, name) => ({
    ...actor,
    initialWeights: fitFor(name).weights,
  }))
  return { ...(weighted as object), initializedBy }
}

function withMixture(given: unknown, fits: Fits): unknown {
  const campaign = mixing(given)
  if (campaign === undefined) return given
  const { actor, shares: weights, inputs } = fitNamed(campaign, fits, 'selection.strategy.mixture')
  const mixed = withStrategy(given, (strategy) => ({ ...strategy, mixture: { actor, weights } }))
  return { ...(mixed as object), mixedBy: { campaign, inputs } }
}

function fitNamed(campaign: string, fits: Fits, place: string) {
  const fit = fits.get(campaign)
  if (fit !== undefined) return fit
  throw new WinnowError('CONFIGURATION', `${place}: there is no campaign ${campaign} with a fit`, {
    hint: `winnow proxies list shows them; winnow proxies fit ${campaign} makes one.`,
  })
}

/** The campaigns whose weights actors begin with, by actor. */
function initializing(given: unknown): Map<string, string> {
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

/** The campaign whose mixture the strategy is to have. */
function mixing(given: unknown): string | undefined {
  const from = entryOf(entryOf(entryOf(entryOf(given, 'selection'), 'strategy'), 'mixture'), 'from')
  return typeof from === 'string' ? from : undefined
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

function withStrategy(given: unknown, change: (strategy: Record<string, unknown>) => unknown): unknown {
  const selection = entryOf(given, 'selection') as object
  const strategy = change(entryOf(selection, 'strategy') as Record<string, unknown>)
  return { ...(given as object), selection: { ...selection, strategy } }
}

export const entryOf = (given: unknown, key: string): unknown =>
  typeof given === 'object' && given !== null ? (given as Record<string, unknown>)[key] : undefined
