import { createHash } from 'node:crypto'
import type { Campaign, CampaignFit, ProxyResult } from '../../schemas/index.ts'
import type { Unfit } from '../fits/fit.ts'
import { recordedOptions } from '../mixing/options.ts'
import { type WeightScale, weightsOf } from './weights.ts'

/** Whether a campaign's mixture is learned while one proxy trains: nothing is fitted then. */
export const learns = ({ method }: Pick<Campaign, 'method'>): boolean => method === 'doremi' || method === 'doge'

/** Whether PyTorch trains it. */
export const learnsByPython = (campaign: Pick<Campaign, 'method' | 'options'>): boolean =>
  learns(campaign) && recordedOptions(campaign).trainer === 'python'

/** What a campaign that learns trains, in order. */
export const stagesOf = ({ method }: Pick<Campaign, 'method'>): readonly ('reference' | 'proxy')[] =>
  method === 'doremi' ? ['reference', 'proxy'] : ['proxy']

/** What DoReMi or DoGE leads to: the mean of its weights, as initial weights. A function of the plan, the result and the scale. */
export function concludeLearned(
  { campaign, actor, config, tokens, method, options }: Campaign,
  [result]: readonly ProxyResult[],
  scale: WeightScale,
): Omit<CampaignFit, 'recordedMs'> | Unfit {
  if (result === undefined) return { reason: 'few proxies', rows: 0, wanted: 1 }
  const { proxy, shares, loss, learned } = result
  const inputs = JSON.stringify({ actor, config, tokens, method, options, shares, loss, learned })
  return {
    ...{ campaign, proxies: [proxy], inputs: createHash('sha256').update(inputs).digest('hex'), kind: method },
    ...{ heldOut: [], draws: 0, mean: learned?.updates ?? 0, bounds: null, shares: [...shares], loss, scale },
    ...{ weights: weightsOf(shares, tokens, scale), extrapolated: [] },
  }
}
