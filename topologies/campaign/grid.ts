import { z } from 'zod'
import type { Campaign, ProxyModel, TargetSize } from '../../schemas/index.ts'
import { fewestPoints } from '../fits/power-law.ts'

/** Of a campaign by data mixing laws: each mixture is trained on several sizes of model, and its loss measured on the way (docs/proxies.md). */
export interface GridOptions {
  readonly method: 'dmlaw'
  /** How often a loss is measured, the last step included. */
  readonly points: number
}

/** The grid of a plan. */
export interface Grid extends GridOptions {
  /** Ascending. */
  readonly models: readonly ProxyModel[]
  readonly target: TargetSize
}

const schema = z.strictObject({ method: z.literal('dmlaw'), points: z.int().min(fewestPoints) })

type Sized = Pick<Campaign, 'mixtures' | 'models'>

const sizes = ({ models }: Sized): number => Math.max(1, models.length)

/** How many proxies a campaign trains. */
export const proxiesOf = (campaign: Sized): number => campaign.mixtures.length * sizes(campaign)

/** What a proxy is of the grid: all sizes of a mixture one after the other, so that a campaign that is not done yet has whole mixtures. */
export const cellOf = (campaign: Sized, proxy: number): { mixture: number; size: number } => ({
  mixture: Math.floor(proxy / sizes(campaign)),
  size: proxy % sizes(campaign),
})

/** The steps after which losses are measured: evenly over the last two thirds, as in data mixing laws, and none in the warm-up, which follows no power law. */
export function curveSteps(steps: number, warmupSteps: number, points: number): number[] {
  const first = Math.max(Math.ceil(steps / 3), warmupSteps, 1)
  const wanted = Array.from({ length: points }, (_, i) => Math.round(first + ((steps - first) * i) / (points - 1)))
  return [...new Set(wanted)].filter((step) => step <= steps)
}

/** The options that a campaign records. @throws z.ZodError */
export const gridOptions = ({ options }: Pick<Campaign, 'options'>): GridOptions =>
  schema.parse(JSON.parse(options ?? '{}'))

export const parseGridOptions = (given: unknown): z.ZodSafeParseResult<GridOptions> => schema.safeParse(given)
