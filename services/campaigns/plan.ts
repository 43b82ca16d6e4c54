import type { Campaign } from '../../schemas/index.ts'
import { sharedByProxies } from '../../topologies/campaign/campaign.ts'
import type { Grid } from '../../topologies/campaign/grid.ts'
import { learns } from '../../topologies/campaign/learned.ts'
import { columnsOf } from '../../topologies/corpus-store.ts'
import { drawMixtures, rounded } from '../../topologies/fits/mixtures.ts'
import { Uniforms } from '../../topologies/fits/uniforms.ts'
import type { MixingOptions } from '../../topologies/mixing/options.ts'
import { type RunConfig, runConfigJson } from '../../topologies/run-config.ts'
import { seedOf } from '../../topologies/selection/u64.ts'
import type { Runtime } from '../connections/connections.ts'
import type { Clock } from '../runtime/clock.ts'
import { WinnowError } from '../runtime/errors.ts'
import { storeOf } from '../runtime/stores/place.ts'
import { readCampaigns, writeCampaign } from './recorded.ts'

const regmix = { method: 'regmix' } as const
export type Method = MixingOptions | Grid | typeof regmix

export interface CampaignWish {
  readonly campaign: string
  readonly actor: string
  readonly proxies: number
  readonly steps: number
  /** Plan although some subcategories have no tokens: they get no share of any mixture. */
  readonly withoutEmpty?: boolean
  /** Learn the mixture while one proxy trains, or train a grid of sizes. Left out: one proxy for each mixture, then a fit. */
  readonly method?: Method | undefined
}

/**
 * Records a campaign: its mixtures are drawn from the corpus as it is labelled now. Planning the same again changes nothing.
 * @throws WinnowError CONFIGURATION where the run has no such actor, or another campaign has the name; BAD_DATA where nothing is labelled, or a
 * subcategory has no tokens
 */
export async function planCampaign(
  runtime: Runtime,
  run: RunConfig,
  { campaign, actor, proxies, steps, withoutEmpty = false, method = regmix }: CampaignWish,
  clock: Clock,
): Promise<Campaign> {
  const at = run.selection.actors.findIndex(({ name }) => name === actor)
  if (at === -1) {
    const names = run.selection.actors.map(({ name }) => name).join(', ')
    throw new WinnowError('CONFIGURATION', `the run has no actor ${actor}`, { hint: `Its actors: ${names}.` })
  }
  if (storeOf(run.checkpoints) !== undefined) {
    throw new WinnowError(
      'CONFIGURATION',
      `checkpoints of proxies are written to this machine, not to ${run.checkpoints}`,
      {
        hint: "Name a folder as checkpoints in a copy of the run's file, and plan the campaign by that.",
      },
    )
  }
  const config = runConfigJson(sharedByProxies(run, campaign, steps))
  const wanted = recordedMethod(method)
  const known = (await readCampaigns(runtime)).get(campaign)?.plan
  if (known !== undefined) {
    const fields = { actor, config, ...wanted }
    const same = Object.entries(fields).every(
      ([name, value]) => JSON.stringify(known[name as keyof typeof fields]) === JSON.stringify(value),
    )
    if (same && (learns(wanted) || known.mixtures.length === proxies)) return known
    throw new WinnowError('CONFIGURATION', `campaign ${campaign} exists with another plan`, {
      hint: 'A campaign is never changed: give the new one another name (--name).',
    })
  }
  const labelOffsets = await runtime.store.committed()
  const tokens = await tokensBySubcategory(runtime, run, at, labelOffsets)
  if (!tokens.some((count) => count > 0)) {
    throw new WinnowError('BAD_DATA', `no subcategory of ${actor} has tokens: no document is labelled by every actor`, {
      hint: 'Ingest documents and wait for their labels (winnow status).',
    })
  }
  refuseEmpty(run.selection.actors[at]!, tokens, withoutEmpty)
  refuseFew(actor, tokens, method)
  const uniforms = new Uniforms(seedOf(run.selection.seed, 0, `mixtures:${actor}`))
  const mixtures =
    method.method === 'doremi' || method.method === 'doge'
      ? [beginningOf(method.method, tokens)]
      : drawMixtures(tokens, proxies, uniforms).map((mixture) => [...mixture])
  const plan = { campaign, actor, config, tokens, mixtures, labelOffsets, recordedMs: clock(), ...wanted }
  await writeCampaign(runtime, plan)
  return plan
}

/** What a plan records of a method. */
function recordedMethod(given: Method): Pick<Campaign, 'method' | 'models' | 'target' | 'options'> {
  const { method } = given
  if (method === 'regmix') return { method, models: [], target: null, options: null }
  if (method !== 'dmlaw') return { method, models: [], target: null, options: JSON.stringify(given) }
  const { models, target, ...options } = given
  return { method, models: [...models], target, options: JSON.stringify(options) }
}

function refuseEmpty(
  { name, subcategories }: RunConfig['selection']['actors'][number],
  tokens: readonly number[],
  withoutEmpty: boolean,
): void {
  const empty = subcategories.filter((_, j) => tokens[j] === 0)
  if (empty.length === 0 || withoutEmpty) return
  const [has, them] = empty.length === 1 ? ['subcategory', 'has'] : ['subcategories', 'have']
  throw new WinnowError('BAD_DATA', `${has} ${empty.join(', ')} of ${name} ${them} no tokens; nothing is planned`, {
    hint: 'No proxy can say what they are worth. Ingest documents of them, or plan without them (--without-empty): they get no share, and no initial weight of their own.',
  })
}

/** A mixture of one is known, and one of two by the products with each other is always half and half. */
function refuseFew(actor: string, tokens: readonly number[], method: Method): void {
  const present = tokens.filter((count) => count > 0).length
  if (present < 2) {
    throw new WinnowError('BAD_DATA', `only one subcategory of ${actor} has tokens: there is nothing to mix`, {
      hint: 'Ingest documents of others.',
    })
  }
  if (present > 2 || method.method !== 'doge' || method.variant !== 'universal') return
  throw new WinnowError('BAD_DATA', `of two subcategories universal DoGE makes halves, whatever ${actor} says`, {
    hint: 'It weighs each by the product of its gradient with those of all others, and of two that is one number. Take --variant out-of-domain, or another method.',
  })
}

/** What the weights begin with: the corpus's shares (DoReMi), or all alike (DoGE). */
function beginningOf(method: MixingOptions['method'], tokens: readonly number[]): number[] {
  const amounts = method === 'doremi' ? tokens : tokens.map((count) => (count > 0 ? 1 : 0))
  const total = amounts.reduce((a, b) => a + b, 0)
  return rounded(amounts.map((amount) => amount / total))
}

async function tokensBySubcategory(
  { store }: Runtime,
  run: RunConfig,
  actor: number,
  labelOffsets: Campaign['labelOffsets'],
): Promise<number[]> {
  const view = await store.view({ columns: columnsOf(run), labelOffsets: labelOffsets as never, readsOf: null })
  const tokens = run.selection.actors[actor]!.subcategories.map(() => 0)
  for (const group of await view.groups()) tokens[group.labels[actor]!]! += group.tokens
  return tokens
}
