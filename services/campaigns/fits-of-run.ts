import type { ProxyResult } from '../../schemas/index.ts'
import { proxiesOf } from '../../topologies/campaign/grid.ts'
import { CampaignProgress } from '../../topologies/campaign/progress.ts'
import { refitDifference } from '../../topologies/campaign/refit.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import type { Runtime } from '../connections/connections.ts'
import { FollowedCampaign, type RecordedCampaign, readCampaigns } from './recorded.ts'

/** What became of the initial weights of an actor, or of the strategy's mixture, that a campaign of proxies gave. */
export interface FitOfRun {
  readonly of: 'initialWeights' | 'mixture'
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
  const progress = new CampaignProgress(proxiesOf(plan), 0)
  await new FollowedCampaign(runtime, plan.campaign, progress).look(0)
  return [...progress.results.values()]
}

/**
 * Reads the fits that a run's initial weights and its mixture come from, and compares the numbers with them.
 * @param refit compute the fits again from the recorded plans and results, and compare those too
 */
export async function fitsOfRun(runtime: Runtime, run: RunConfig, refit: boolean): Promise<FitOfRun[]> {
  const wanted = takenFrom(run)
  if (wanted.length === 0) return []
  const campaigns = await readCampaigns(runtime)
  const found: FitOfRun[] = []
  for (const taken of wanted) {
    const { campaign } = taken
    const recorded = campaigns.get(campaign)
    const firstDifference =
      recorded === undefined ? 'the campaign is not in the log' : await difference(runtime, recorded, taken, refit)
    const same = firstDifference === undefined
    found.push({
      of: taken.of,
      actor: taken.actor,
      campaign,
      inLog: recorded !== undefined,
      same,
      firstDifference: firstDifference ?? null,
    })
  }
  return found
}

/** The campaigns of proxies that a run has numbers from. */
export const campaignsOf = (run: RunConfig): string[] => [...new Set(takenFrom(run).map(({ campaign }) => campaign))]

interface Taken extends Pick<FitOfRun, 'of' | 'actor' | 'campaign'> {
  readonly inputs: string
  readonly numbers: readonly number[]
}

function takenFrom({ initializedBy = {}, mixedBy, selection }: RunConfig): Taken[] {
  const weights = Object.entries(initializedBy).flatMap(([actor, by]): Taken[] => {
    // Those by a rule are of no campaign.
    if (!('campaign' in by)) return []
    const numbers = selection.actors.find(({ name }) => name === actor)?.initialWeights ?? []
    return [{ of: 'initialWeights', actor, numbers, ...by }]
  })
  const mixture = selection.strategy?.mixture
  if (mixedBy === undefined || mixture === undefined || !('weights' in mixture)) return weights
  return [...weights, { of: 'mixture', actor: mixture.actor, numbers: mixture.weights, ...mixedBy }]
}

async function difference(
  runtime: Runtime,
  recorded: RecordedCampaign,
  { of, inputs, numbers }: Taken,
  refit: boolean,
): Promise<string | undefined> {
  const field = of === 'mixture' ? 'shares' : 'weights'
  const fits = recorded.fits.filter((one) => one.inputs === inputs)
  if (fits.length === 0) return `no fit of these inputs is in the log: ${inputs}`
  const fit = fits.find((one) => sameBits(one[field], numbers))
  if (fit === undefined) return `${field}: ${fits.at(-1)![field].join(', ')} and ${numbers.join(', ')}`
  return refit ? refitDifference(recorded.plan, await resultsOf(runtime, recorded), fit) : undefined
}

const sameBits = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, at) => Object.is(value, b[at]))
