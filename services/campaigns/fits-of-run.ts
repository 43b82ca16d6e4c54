import type { ProxyResult } from '../../schemas/index.ts'
import { CampaignProgress } from '../../topologies/campaign/progress.ts'
import { refitDifference } from '../../topologies/campaign/refit.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import type { Runtime } from '../connections/connections.ts'
import { FollowedCampaign, type RecordedCampaign, readCampaigns } from './recorded.ts'

/** What became of the initial weights of an actor that a campaign of proxies gave. */
export interface FitOfRun {
  readonly actor: string
  readonly campaign: string
  /** Whether the log has the campaign; without it nothing can be compared. */
  readonly inLog: boolean
  /** The weights are those of a recorded fit, and the fit comes out the same if it was computed again. */
  readonly same: boolean
  /** In words; null: there is none. */
  readonly firstDifference: string | null
}

/** The results of a campaign as of now, by proxy: of several for one the first counts. */
export async function resultsOf(runtime: Runtime, { plan }: RecordedCampaign): Promise<ProxyResult[]> {
  const progress = new CampaignProgress(plan.mixtures.length * Math.max(1, plan.models.length), 0)
  await new FollowedCampaign(runtime, plan.campaign, progress).look(0)
  return [...progress.results.values()]
}

/**
 * Reads the fits that a run's initial weights come from, and compares the weights with them.
 * @param refit compute the fits again from the recorded plans and results, and compare those too
 */
export async function fitsOfRun(runtime: Runtime, run: RunConfig, refit: boolean): Promise<FitOfRun[]> {
  const wanted = Object.entries(run.initializedBy ?? {}).flatMap(([actor, by]) =>
    'campaign' in by ? [[actor, by] as const] : [],
  )
  if (wanted.length === 0) return []
  const campaigns = await readCampaigns(runtime)
  const found: FitOfRun[] = []
  for (const [actor, by] of wanted) {
    const weights = run.selection.actors.find(({ name }) => name === actor)?.initialWeights ?? []
    const { campaign, inputs } = by
    const recorded = campaigns.get(campaign)
    const firstDifference =
      recorded === undefined
        ? 'the campaign is not in the log'
        : await difference(runtime, recorded, inputs, weights, refit)
    const same = firstDifference === undefined
    found.push({ actor, campaign, inLog: recorded !== undefined, same, firstDifference: firstDifference ?? null })
  }
  return found
}

async function difference(
  runtime: Runtime,
  recorded: RecordedCampaign,
  inputs: string,
  weights: readonly number[],
  refit: boolean,
): Promise<string | undefined> {
  const fits = recorded.fits.filter((one) => one.inputs === inputs)
  if (fits.length === 0) return `no fit of these inputs is in the log: ${inputs}`
  const fit = fits.find((one) => sameBits(one.weights, weights))
  if (fit === undefined) return `weights: ${fits.at(-1)!.weights.join(', ')} and ${weights.join(', ')}`
  return refit ? refitDifference(recorded.plan, await resultsOf(runtime, recorded), fit) : undefined
}

const sameBits = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, at) => Object.is(value, b[at]))
