import type { Campaign, ProxyResult } from '../../../schemas/index.ts'
import { domainRun } from '../../../topologies/campaign/campaign.ts'
import { stagesOf } from '../../../topologies/campaign/learned.ts'
import { type DomainWeights, meanWeights } from '../../../topologies/mixing/averaged.ts'
import { recordedOptions } from '../../../topologies/mixing/options.ts'
import { recordedConfig } from '../../../topologies/run-config.ts'
import { readReference } from '../../model/reference.ts'
import type { Trainer } from '../../model/trainer.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { type ProxyPorts, selectedBy } from '../train-proxy.ts'
import { dogeStage } from './doge.ts'
import { doremiStage, type Learned, referenceStage } from './doremi.ts'
import { removeStage, type StagePorts, trainStage } from './stage.ts'

/**
 * Trains what DoReMi or DoGE trains, and gives the mean of the weights. Both stages of DoReMi are one piece of work: whoever takes it over without the
 * files of the one before begins again, and comes to the same.
 * @throws the signal's reason if it aborts; a later call goes on from the last checkpoint
 */
export async function learnMixture(campaign: Campaign, ports: ProxyPorts, signal: AbortSignal): Promise<ProxyResult> {
  const run = recordedConfig({ run: campaign.campaign, config: campaign.config })
  const beganMs = ports.clock()
  const { domains, prior } = await domainsOf(campaign, ports)
  const options = recordedOptions(campaign)
  const sequences = (path: string) => readReference(path, ports.model, run.trainer.context, run.reference.samplesMax)
  const [target, corpus] = [await sequences(run.reference.reward), await sequences(run.reference.corpus)]
  const stages = stagesOf(campaign).length
  const stagePorts = (done: number): StagePorts => ({
    ...{ store: ports.store, model: ports.model, domains },
    onShare: (share) => ports.onShare?.((done + share) / stages),
  })
  await using opened = new AsyncDisposableStack()
  const closing = <T extends { trainer: Trainer }>(one: T): T => {
    opened.defer(() => one.trainer.close())
    return one
  }
  const proxyStage = async (): Promise<{ trainer: Trainer; state: Learned<DomainWeights> }> => {
    if (options.method === 'doge')
      return await trainStage(campaign, run, dogeStage(run, prior, target, options), stagePorts(0), signal)
    const reference = closing(await trainStage(campaign, run, referenceStage(run, prior), stagePorts(0), signal))
    return await trainStage(campaign, run, doremiStage(run, prior, reference.trainer, options), stagePorts(1), signal)
  }
  const { trainer, state } = closing(await proxyStage())
  const loss = (await trainer.evaluate(target)).loss
  const corpusLoss = (await trainer.evaluate(corpus)).loss
  for (const stage of stagesOf(campaign)) await removeStage(campaign, run, stage)
  const { weights, course } = state
  return {
    ...{ campaign: campaign.campaign, proxy: 0, shares: meanWeights(weights), loss, corpusLoss, curve: [] },
    seconds: (ports.clock() - beganMs) / 1000,
    learned: { updates: weights.updates, last: [...weights.weights], course: course.map((one) => [...one]) },
  }
}

/** The documents of each subcategory in the order of the run's seed, and the tokens that the pool holds of it. */
export async function domainsOf(
  campaign: Campaign,
  { corpus }: Pick<ProxyPorts, 'corpus'>,
): Promise<{ domains: BigUint64Array[]; prior: number[] }> {
  const domains: BigUint64Array[] = []
  const prior: number[] = []
  for (const [subcategory, tokens] of campaign.tokens.entries()) {
    const { ids, held } = await selectedBy(domainRun(campaign, subcategory), corpus)
    domains.push(ids)
    prior.push(ids.length === 0 ? 0 : Math.min(tokens, held[subcategory]!))
  }
  if (prior.filter((tokens) => tokens > 0).length > 1) return { domains, prior }
  throw new WinnowError(
    'BAD_DATA',
    `fewer than two subcategories of ${campaign.actor} have tokens: there is nothing to mix`,
    {
      hint: "Ingest documents of others, or check selection.strategy.pool in the run's file.",
    },
  )
}
