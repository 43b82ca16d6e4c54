import type { Campaign, ProxyResult, Work } from '../../../schemas/index.ts'
import { forward, forwardAndBackward, workOn } from '../../../topologies/ledger/pieces.ts'
import { recordedOptions } from '../../../topologies/mixing/options.ts'
import { rowsPerDomain } from '../../../topologies/mixing/rows.ts'
import { recordedConfig } from '../../../topologies/run-config.ts'
import { modelCost, parametersOf } from '../../model/cost.ts'
import type { Model } from '../../model/model.ts'

/**
 * The work of a campaign that learns its mixture, for all runs. DoReMi: the reference model's training, then a forward pass of each model and a step
 * of the proxy for every batch, 16 N T in all (the authors', whose step reuses the proxy's forward pass: 14 N T). DoGE: a forward and a backward pass
 * over the rows of each domain, and of the target; two products of gradients and a share of the step for each domain.
 */
export function learnedWork(
  campaign: Campaign,
  { seconds }: ProxyResult,
  model: Pick<Model, 'description' | 'device'>,
): Work[] {
  const run = recordedConfig({ run: campaign.campaign, config: campaign.config })
  const options = recordedOptions(campaign)
  const { batch, context } = run.trainer
  const kind = (partition: number) => ({
    ...{ run: null, purpose: 'proxies' as const, subject: `${campaign.campaign} of ${campaign.actor}` },
    ...{ stream: campaign.campaign, partition },
  })
  if (options.method === 'doremi') {
    const tokens = run.steps * batch * context
    const factors = [forwardAndBackward, forwardAndBackward + 2 * forward]
    const total = factors.reduce((a, b) => a + b, 0)
    return factors.flatMap((factor, stage) =>
      workOn(kind(stage), modelCost(model, factor), [{ at: 0, tokens }], 1, (seconds * factor) / total),
    )
  }
  const domains = campaign.tokens.filter((tokens) => tokens > 0).length
  const rows = domains * rowsPerDomain(batch, domains) + (options.variant === 'universal' ? 0 : batch)
  const products = 2 * 3 * domains * parametersOf(model.description).parametersAll * run.steps
  const cost = { ...modelCost(model, forwardAndBackward), flopsPerDocument: products }
  return workOn(kind(0), cost, [{ at: 0, tokens: run.steps * rows * context }], 1, seconds)
}
