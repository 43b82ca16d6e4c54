import { createHash } from 'node:crypto'
import { Campaign, CampaignFit, campaignTopic, topics } from '../../schemas/index.ts'
import type { CampaignProgress } from '../../topologies/campaign/progress.ts'
import { definitionOf, type Runtime } from '../connections/connections.ts'
import { readable } from '../runtime/codec.ts'
import { WinnowError } from '../runtime/errors.ts'
import { nearest } from '../terminal/nearest.ts'

type Ports = Pick<Runtime, 'kafka' | 'codec'>

export interface RecordedCampaign {
  readonly plan: Campaign
  /** The last one: what runs begin with from now on. */
  readonly fit: CampaignFit | undefined
  /** Every one, by other options or of more results, in the order in which they were recorded. */
  readonly fits: readonly CampaignFit[]
}

/** Every planned campaign, by name. */
export async function readCampaigns({ kafka, codec }: Ports): Promise<Map<string, RecordedCampaign>> {
  const plans = new Map<string, Campaign>()
  const fits: CampaignFit[] = []
  const { name } = topics.campaigns
  if (!(await kafka.topicNames()).includes(name)) return new Map()
  for await (const records of kafka.read(name)) {
    for (const { value } of records) {
      const decoded = value && (await readable(() => codec.decode(value)))
      if (decoded?.record === Campaign.name) plans.set((decoded.value as Campaign).campaign, decoded.value as Campaign)
      if (decoded?.record === CampaignFit.name) fits.push(decoded.value as CampaignFit)
    }
  }
  return new Map(
    [...plans].map(([campaign, plan]) => {
      const own = fits.filter((fit) => fit.campaign === campaign)
      return [campaign, { plan, fit: own.at(-1), fits: own }]
    }),
  )
}

/** What campaigns lead to, by name; those without a fit are left out. */
export const fitsOf = (
  campaigns: ReadonlyMap<string, RecordedCampaign>,
): Map<string, CampaignFit & { readonly actor: string }> =>
  new Map(
    [...campaigns].flatMap(([name, { plan, fit }]) =>
      fit === undefined ? [] : [[name, { ...fit, actor: plan.actor }] as const],
    ),
  )

/** @throws WinnowError CONFIGURATION if there is none of that name */
export async function campaignNamed(runtime: Ports, name: string): Promise<RecordedCampaign> {
  const campaigns = await readCampaigns(runtime)
  const found = campaigns.get(name)
  if (found !== undefined) return found
  const names = [...campaigns.keys()]
  throw new WinnowError('CONFIGURATION', `there is no campaign ${name}`, {
    hint: nearest(name, names) ?? `Campaigns: ${names.join(', ') || 'none; plan one with winnow proxies plan'}.`,
  })
}

export async function writeCampaign(runtime: Ports, value: Campaign): Promise<void> {
  await createTopics(runtime, value.campaign)
  await write(runtime, `${value.campaign}/plan`, runtime.codec.encode(Campaign, value))
}

/** Beside earlier fits by other options, which runs may have begun with. */
export const writeFit = (runtime: Ports, value: CampaignFit): Promise<void> => {
  const { recordedMs: _, ...fit } = value
  const digest = createHash('sha256').update(JSON.stringify(fit)).digest('hex').slice(0, 16)
  return write(runtime, `${value.campaign}/fit/${digest}`, runtime.codec.encode(CampaignFit, value))
}

async function write({ kafka }: Ports, key: string, value: Uint8Array): Promise<void> {
  await using opened = new AsyncDisposableStack()
  const producer = opened.adopt(await kafka.producer(), (one) => one.close())
  await producer.send([{ topic: topics.campaigns.name, key, value }])
}

async function createTopics({ kafka }: Ports, campaign: string): Promise<void> {
  // Neither depends on the corpus's settings.
  const settings = { partitions: 1, recordBytesMax: 0 }
  await kafka.createTopics([topics.campaigns, campaignTopic(campaign)].map((spec) => definitionOf(spec, settings)))
}

/** Folds a campaign's claims and results as they come. */
export class FollowedCampaign {
  readonly #ports: Ports
  readonly #topic: string
  readonly #progress: CampaignProgress
  readonly #from: number[] = []

  constructor(ports: Ports, campaign: string, progress: CampaignProgress) {
    this.#ports = ports
    this.#topic = campaignTopic(campaign).name
    this.#progress = progress
  }

  /** Folds what is new since the last look. */
  async look(nowMs: number): Promise<void> {
    const { kafka, codec } = this.#ports
    for await (const records of kafka.read(this.#topic, this.#from)) {
      for (const { partition, offset, value } of records) {
        this.#from[partition] = offset + 1
        const decoded = value && (await readable(() => codec.decode(value)))
        if (decoded?.record === 'ProxyClaim') this.#progress.claimed(decoded.value as never, nowMs)
        if (decoded?.record === 'ProxyResult') this.#progress.finished(decoded.value as never)
      }
    }
  }
}
