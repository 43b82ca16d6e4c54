import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Campaign, Progress, ProxyResult } from '../../schemas/index.ts'
import { proxyRun } from '../../topologies/campaign/campaign.ts'
import { curveSteps, gridOptions } from '../../topologies/campaign/grid.ts'
import { columnsOf, type ViewOptions } from '../../topologies/corpus-store.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import type { Corpus } from '../../topologies/selection/corpus.ts'
import { select } from '../../topologies/selection/select.ts'
import type { Runtime } from '../connections/connections.ts'
import type { Model } from '../model/model.ts'
import type { Clock } from '../runtime/clock.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { Producer } from '../runtime/kafka/port.ts'
import { again } from '../selections/again.ts'
import type { Position } from '../selections/selection-reader.ts'
import { checkpointPath } from '../trainer/checkpoints.ts'
import { train } from '../trainer/trainer.ts'

export interface ProxyPorts extends Pick<Runtime, 'codec' | 'log'> {
  readonly store: Pick<Runtime['store'], 'texts'>
  readonly corpus: Corpus
  readonly model: Model
  readonly producer: Producer
  readonly clock: Clock
  /** How much is trained, from 0 to 1. */
  readonly onShare?: (share: number) => void
}

/** The corpus of a campaign: the labels of its run as of its plan. */
export const corpusOf = (campaign: Campaign): ViewOptions => ({
  columns: columnsOf(proxyRun(campaign, 0)),
  labelOffsets: campaign.labelOffsets as ViewOptions['labelOffsets'],
  readsOf: null,
  draws: true,
})

/**
 * Trains one proxy as the reference trainer trains a control run with this mixture, but on the selection itself instead of its stream: nobody else reads
 * it. @throws the signal's reason if it aborts; a later call goes on from the last checkpoint, or from the beginning
 */
export async function trainProxy(
  campaign: Campaign,
  proxy: number,
  ports: ProxyPorts,
  signal: AbortSignal,
): Promise<ProxyResult> {
  const run = proxyRun(campaign, proxy)
  const beganMs = ports.clock()
  const selected = await selectedBy(run, ports.corpus)
  if (selected.ids.length === 0) {
    throw new WinnowError('BAD_DATA', `${run.name} selects no document: its mixture has no tokens in the pool`, {
      hint: "Check selection.strategy.pool in the run's file.",
    })
  }
  const measured = stepsMeasured(campaign, run)
  const forget = () => rm(dirname(checkpointPath(run.checkpoints, run.name, 0)), { recursive: true, force: true })
  // A checkpoint does not have the losses on the way.
  if (measured.size > 1) await forget()
  const curve: Progress[] = []
  ports.onShare?.(0)
  const trainerPorts = {
    ...ports,
    reader: { documents: (position: Position) => again(selected.ids, position.index) },
    report: async (progress: Progress) => {
      if (measured.has(progress.step)) curve.push(progress)
      ports.onShare?.(progress.step / run.steps)
    },
    evaluates: (step: number) => measured.has(step),
    ...(campaign.target && { plannedSteps: campaign.target.steps }),
  }
  // Reports are where losses are measured.
  const reporting = measured.size > 1 ? { ...run, trainer: { ...run.trainer, reportSteps: 1 } } : run
  await train(reporting, trainerPorts, signal)
  const { referenceLoss, corpusLoss } = curve.at(-1)!
  // Its result is what remains of it.
  await forget()
  const { campaign: name } = campaign
  return {
    ...{ campaign: name, proxy, shares: selected.shares },
    ...{ loss: referenceLoss!, corpusLoss: corpusLoss!, seconds: (ports.clock() - beganMs) / 1000 },
    curve: campaign.method === 'dmlaw' ? curve.map(({ step, referenceLoss: at }) => ({ step, loss: at! })) : [],
    learned: null,
  }
}

/** After which steps a proxy's loss is measured. */
function stepsMeasured(campaign: Campaign, { steps, trainer: { warmupSteps } }: RunConfig): ReadonlySet<number> {
  if (campaign.method !== 'dmlaw') return new Set([steps])
  return new Set(curveSteps(steps, warmupSteps, gridOptions(campaign).points))
}

/** What a run selects in its first round, and what its pool holds, by stratum. */
export async function selectedBy(
  run: RunConfig,
  corpus: Corpus,
): Promise<{ ids: BigUint64Array; shares: number[]; held: number[] }> {
  const { actors } = run.selection
  const weights = actors.map(({ initialWeights }) => initialWeights)
  const thetas = actors.map(({ initialTheta }) => initialTheta)
  const selection = await select(corpus, run.selection, 0, weights, thetas)
  const ids = new BigUint64Array(selection.documents)
  let at = 0
  for await (const some of selection.ids) {
    ids.set(some, at)
    at += some.length
  }
  const shares = selection.strata.map(({ tokens }) => tokens / selection.tokens)
  return { ids, shares, held: selection.strata.map(({ held }) => held.tokens) }
}
