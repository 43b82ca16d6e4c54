import { randomInt } from 'node:crypto'
import type { Campaign } from '../../schemas/index.ts'
import { proxiesOf } from '../../topologies/campaign/grid.ts'
import type { Runtime } from '../connections/connections.ts'
import type { Models } from './models.ts'
import { workOnCampaign } from './work.ts'

/** @param done proxies with results, and the parts of those that are in hand here */
export type OnDone = (done: number, proxies: number) => void

/**
 * Trains a campaign with several workers in this process, each in a thread of its own. The first that fails ends the others.
 * @returns how many proxies have results
 * @throws the signal's reason if it aborts
 */
export async function workTogether(
  runtime: Runtime,
  campaign: Campaign,
  models: Models,
  {
    workers,
    onDone,
    python,
  }: { readonly workers: number; readonly onDone?: OnDone; readonly python?: string | undefined },
  signal: AbortSignal,
): Promise<number> {
  const failed = new AbortController()
  const shares = new Array<number>(workers).fill(0)
  let results = 0
  const told = () =>
    onDone?.(
      shares.reduce((sum, share) => sum + share, results),
      proxiesOf(campaign),
    )
  const work = async (_: number, at: number) => {
    const hooks = {
      python,
      // Tells claims of workers apart; no result depends on it.
      worker: BigInt(randomInt(2 ** 47)),
      onProgress: ({ results: { size } }: { results: ReadonlyMap<number, unknown> }) => {
        results = Math.max(results, size)
        told()
      },
      onShare: (share: number) => {
        shares[at] = share
        told()
      },
    }
    try {
      return await workOnCampaign(runtime, campaign, models, hooks, AbortSignal.any([signal, failed.signal]))
    } catch (error) {
      failed.abort(error)
      throw error
    }
  }
  const ended = await Promise.allSettled(shares.map(work))
  signal.throwIfAborted()
  failed.signal.throwIfAborted()
  return Math.max(...ended.map((one) => (one.status === 'fulfilled' ? one.value.results.size : 0)))
}
