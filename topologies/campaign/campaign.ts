import type { Campaign } from '../../schemas/index.ts'
import { parseRunConfig, type RunConfig, recordedConfig } from '../run-config.ts'
import { defaultStrategy } from '../selection/strategy.ts'

/**
 * What the proxies of a campaign have in common: the run as given, without rewards, in one round, and judged on the reference for rewards, so that the
 * run's evaluation file stays unseen. All begin with the same weights and read the corpus in the same order: they differ in their mixture alone.
 */
export function sharedByProxies(run: RunConfig, campaign: string, steps: number): RunConfig {
  const { moreRewards: _, ...reference } = run.reference
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
        ...run.selection,
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

/** The run that a proxy is. */
export function proxyRun(campaign: Campaign, proxy: number): RunConfig {
  const shared = recordedConfig({ run: campaign.campaign, config: campaign.config })
  const strategy = {
    ...(shared.selection.strategy ?? defaultStrategy),
    score: { kind: 'zero' as const },
    mixture: { actor: campaign.actor, weights: campaign.mixtures[proxy]! },
  }
  return {
    ...shared,
    name: `${campaign.campaign}-proxy-${proxy}`,
    selection: { ...shared.selection, strategy },
  }
}
