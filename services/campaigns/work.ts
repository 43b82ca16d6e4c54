import { setTimeout as sleep } from 'node:timers/promises'
import { type Campaign, campaignTopic, ProxyClaim, ProxyResult, topics, Work } from '../../schemas/index.ts'
import { proxyRun } from '../../topologies/campaign/campaign.ts'
import { proxiesOf } from '../../topologies/campaign/grid.ts'
import { learns, learnsByPython } from '../../topologies/campaign/learned.ts'
import { CampaignProgress } from '../../topologies/campaign/progress.ts'
import { forwardAndBackward, workKey, workOn } from '../../topologies/ledger/pieces.ts'
import type { Runtime } from '../connections/connections.ts'
import { readable } from '../corpus/readable.ts'
import { modelCost } from '../model/cost.ts'
import type { Model } from '../model/model.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { failpoint } from '../runtime/failpoints.ts'
import type { Producer } from '../runtime/kafka/port.ts'
import { learnedWork } from './mixing/cost.ts'
import { learnMixture } from './mixing/learn.ts'
import { learnByPython } from './mixing/python.ts'
import type { Models } from './models.ts'
import { FollowedCampaign } from './recorded.ts'
import { corpusOf, trainProxy } from './train-proxy.ts'

/** A claim that is not repeated for this long has lapsed: its worker is gone. */
const leaseMs = 15_000
const repeatMs = 5000
const waitMs = 1000

export interface WorkHooks {
  /** Tells this worker from all others. */
  readonly worker: bigint
  readonly onProgress?: (progress: CampaignProgress, nowMs: number) => void
  /** How much of the proxy in hand is trained; 0: none is in hand. */
  readonly onShare?: (share: number) => void
  readonly clock?: Clock
  /** Needed where PyTorch trains: that `findPython` found. */
  readonly python?: string | undefined
}

/**
 * Trains proxies of a campaign until all have results, whoever trains them. Any number of workers share a campaign through its topic; one that is
 * killed loses the proxy that it trains, which another takes over when its claim has lapsed.
 * @throws the signal's reason if it aborts
 */
export async function workOnCampaign(
  runtime: Runtime,
  campaign: Campaign,
  models: Models,
  { worker, onProgress, onShare, clock = systemClock, python }: WorkHooks,
  signal: AbortSignal,
): Promise<CampaignProgress> {
  const progress = new CampaignProgress(proxiesOf(campaign), leaseMs)
  const followed = new FollowedCampaign(runtime, campaign.campaign, progress)
  const look = async () => {
    await followed.look(clock())
    onProgress?.(progress, clock())
  }
  await look()
  if (progress.done) return progress
  const options = corpusOf(campaign)
  while ((await runtime.store.prepare(options)) !== undefined) await sleep(waitMs, undefined, { signal })
  const corpus = await runtime.store.view(options)
  await using opened = new AsyncDisposableStack()
  const producer = opened.adopt(await runtime.kafka.producer(), (one) => one.close())
  const claim = async (proxy: number) => {
    const value = runtime.codec.encode(ProxyClaim, { campaign: campaign.campaign, proxy, worker })
    await producer.send([{ topic: campaignTopic(campaign.campaign).name, key: `${proxy}`, value }])
    failpoint('claimed')
  }
  for (await look(); !progress.done; await look()) {
    signal.throwIfAborted()
    const proxy = progress.next(clock())
    if (proxy === undefined) {
      await sleep(waitMs, undefined, { signal })
      continue
    }
    await claim(proxy)
    await look()
    if (!progress.holds(proxy, worker) || progress.results.has(proxy)) continue
    const model = models.of(proxyRun(campaign, proxy).model)
    const result = await whileClaiming(
      () => claim(proxy),
      (aborted) => {
        const ports = {
          ...runtime,
          store: readable(runtime),
          corpus,
          model,
          producer,
          clock,
          ...(onShare && { onShare }),
        }
        if (!learns(campaign)) return trainProxy(campaign, proxy, ports, aborted)
        if (!learnsByPython(campaign)) return learnMixture(campaign, ports, aborted)
        if (python === undefined) throw new Error(`campaign ${campaign.campaign} is trained by PyTorch`)
        return learnByPython(campaign, ports, python, aborted)
      },
      signal,
    )
    onShare?.(0)
    const { name: topic } = campaignTopic(campaign.campaign)
    await producer.send([{ topic, key: `${proxy}`, value: runtime.codec.encode(ProxyResult, result) }])
    failpoint('proxy finished')
    await book(runtime, producer, campaign, result, model)
  }
  return progress
}

/** Repeats the claim while the work goes on. A claim that cannot be written ends the work: nobody would know of it. */
async function whileClaiming<T>(
  claim: () => Promise<void>,
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const failed = new AbortController()
  const timer = setInterval(() => {
    claim().catch((error: unknown) => failed.abort(error))
  }, repeatMs)
  try {
    return await work(AbortSignal.any([signal, failed.signal]))
  } finally {
    clearInterval(timer)
  }
}

/** A proxy is a piece of work of all runs: whoever begins with its mixture. */
async function book(
  { codec }: Runtime,
  producer: Producer,
  campaign: Campaign,
  result: ProxyResult,
  model: Model,
): Promise<void> {
  const pieces = learns(campaign) ? learnedWork(campaign, result, model) : proxyWork(campaign, result, model)
  await producer.send(
    pieces.map((value) => ({ topic: topics.work.name, key: workKey(value), value: codec.encode(Work, value) })),
  )
}

function proxyWork(campaign: Campaign, { proxy, seconds }: ProxyResult, model: Model): Work[] {
  const run = proxyRun(campaign, proxy)
  const tokens = run.steps * run.trainer.batch * run.trainer.context
  const subject = `${campaign.campaign} of ${campaign.actor}`
  const kind = { run: null, purpose: 'proxies', subject, stream: campaign.campaign, partition: 0 } as const
  return workOn(kind, modelCost(model, forwardAndBackward), [{ at: proxy, tokens }], proxy + 1, seconds)
}
