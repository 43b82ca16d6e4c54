import type { Campaign } from '../../schemas/index.ts'
import { parseRunConfig, type RunConfig, recordedConfig } from '../run-config.ts'
import { defaultStrategy } from '../selection/strategy.ts'
import { cellOf } from './grid.ts'

/**
 * What the proxies of a campaign have in common: the run as given, without rewards, in one round, and judged on the reference for rewards, so that the
 * run's evaluation file stays unseen. Near duplicates are not limited. All begin with the same weights and read the corpus in the same order: they differ in their mixture alone.
 */
export function sharedByProxies(run: RunConfig, campaign: string, steps: number): RunConfig {
  const { moreRewards: _, other: _other, ...reference } = run.reference
  const { price: _price, duplicates: _duplicates, ...selection } = run.selection
  const { switch: __, ...trainer } = run.trainer
  return parseRunConfig(
    structuredClone({
      ...run,
      name: campaign,
      steps,
      updateSteps: steps,
      sampleDocuments: 0,
      trainer,
      reference: { ...reference, evaluation: reference.reward },
      selection: {
        ...selection,
        actors: Object.fromEntries(run.selection.actors.map(({ name, ...actor }) => [name, actor])),
        budget: { tokens: steps * run.trainer.batch * run.trainer.context },
        repetitionDecay: 0,
        repeat: 'allow',
        collaboration: 'collaborative',
        strategy: { ...defaultStrategy, pool: run.selection.strategy?.pool ?? [] },
      },
    }),
  )
}

/** The run that a proxy is: of a mixture, and of a size of model where the campaign has several. */
export function proxyRun(campaign: Campaign, proxy: number): RunConfig {
  const { mixture, size } = cellOf(campaign, proxy)
  const run = mixedRun(campaign, `${campaign.campaign}-proxy-${proxy}`, campaign.mixtures[mixture]!)
  return { ...run, model: campaign.models[size]?.model ?? run.model }
}

/** A run of a campaign that selects one subcategory alone: its documents in the order of the run's seed. */
export const domainRun = (campaign: Campaign, subcategory: number): RunConfig =>
  mixedRun(
    campaign,
    `${campaign.campaign}-domain-${subcategory}`,
    campaign.tokens.map((_, at) => (at === subcategory ? 1 : 0)),
  )

function mixedRun(campaign: Campaign, name: string, weights: number[]): RunConfig {
  const shared = recordedConfig({ run: campaign.campaign, config: campaign.config })
  const strategy = {
    ...(shared.selection.strategy ?? defaultStrategy),
    score: { kind: 'zero' as const },
    mixture: { actor: campaign.actor, weights },
  }
  return {
    ...shared,
    name,
    selection: { ...shared.selection, strategy },
  }
}
