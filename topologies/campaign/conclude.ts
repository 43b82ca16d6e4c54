import { createHash } from 'node:crypto'
import type { Campaign, CampaignFit, ProxyResult } from '../../schemas/index.ts'
import { bestMixture, type Search } from '../fits/best-mixture.ts'
import { type FitKind, fitted, type Unfit } from '../fits/fit.ts'
import { tableOf } from '../fits/table.ts'
import { Uniforms } from '../fits/uniforms.ts'
import { recordedConfig } from '../run-config.ts'
import { seedOf } from '../selection/u64.ts'
import { concludeLearned, learns } from './learned.ts'
import { extrapolate, type FewPoints } from './nested.ts'
import { type WeightScale, weightsOf } from './weights.ts'

export interface Conclusion {
  /** null: what orders mixtures left out best. */
  readonly kind: FitKind | null
  readonly search: Search
  readonly scale: WeightScale
}

/** Why a campaign leads to nothing. */
export type NoConclusion =
  | Unfit
  | FewPoints
  | { readonly reason: 'no tokens' }
  | { readonly reason: 'flat'; readonly kind: FitKind }
  | { readonly reason: 'out of bounds' }

/**
 * Fits the results of a campaign and looks for the best mixture: a function of the plan, the results and the options, with the same bits everywhere.
 * @param results in any order
 */
export function conclude(
  campaign: Campaign,
  results: readonly ProxyResult[],
  { kind, search, scale }: Conclusion,
): Omit<CampaignFit, 'recordedMs'> | NoConclusion {
  const { tokens, actor } = campaign
  if (!tokens.some((count) => count > 0)) return { reason: 'no tokens' }
  if (learns(campaign)) return concludeLearned(campaign, results, scale)
  const measured = measuredBy(campaign, results)
  if ('reason' in measured) return measured
  const { ordered, shares, losses } = measured
  const fit = fitted(tableOf(shares, losses), kind ?? (campaign.method === 'dmlaw' ? 'exponential' : null))
  if ('reason' in fit) return fit
  const predicted = shares.map(fit.predict)
  if (predicted.every((loss) => loss === predicted[0])) return { reason: 'flat', kind: fit.kind }
  const { seed } = recordedConfig({ run: campaign.campaign, config: campaign.config }).selection
  const best = bestMixture(tokens, fit.predict, new Uniforms(seedOf(seed, 0, `candidates:${actor}`)), search)
  if (best === null) return { reason: 'out of bounds' }
  return {
    campaign: campaign.campaign,
    proxies: ordered.map(({ proxy }) => proxy),
    inputs: digestOf(campaign, ordered),
    kind: fit.kind,
    heldOut: [...fit.heldOut.map((one) => ({ ...one })), ...measured.checks],
    draws: search.draws,
    mean: search.mean,
    bounds: search.bounds ? [...search.bounds] : null,
    shares: [...best.shares],
    loss: best.loss,
    scale,
    weights: weightsOf(best.shares, tokens, scale),
    extrapolated: campaign.method === 'dmlaw' ? [...losses] : [],
  }
}

/** What is fitted: for each mixture, what was selected and the loss, of data mixing laws that at the target. */
function measuredBy(campaign: Campaign, results: readonly ProxyResult[]) {
  if (campaign.method === 'dmlaw') {
    const found = extrapolate(campaign, results)
    return 'reason' in found ? found : { ...found, ordered: found.results, checks: [found.check] }
  }
  const ordered = results.toSorted((a, b) => a.proxy - b.proxy)
  return { ordered, shares: ordered.map((one) => one.shares), losses: ordered.map(({ loss }) => loss), checks: [] }
}

/** Of everything that a fit depends on but its options. */
function digestOf(campaign: Campaign, results: readonly ProxyResult[]): string {
  const { actor, config, tokens, mixtures, models, target, options } = campaign
  const grid = campaign.method === 'dmlaw' ? { models, target, options } : {}
  const inputs = results.map(({ proxy, shares, loss, curve }) => ({
    ...{ proxy, shares, loss },
    ...(campaign.method === 'dmlaw' && { curve }),
  }))
  return createHash('sha256')
    .update(JSON.stringify({ actor, config, tokens, mixtures, ...grid, inputs }))
    .digest('hex')
}
