import { z } from 'zod'
import { share, type Wanted, wanted, wishInWords } from './guard-fields.ts'
import { decidedByCells, type Strategy } from './strategy.ts'

/**
 * How much the loss on other text may grow: the nearer it comes to the bound, the more of every selection is drawn from the natural mixture
 * (SELECTION.md, "Guards").
 */
export interface OtherBound extends Wanted {
  /** Nats per token, above 0. From here on everything is drawn from the natural mixture. */
  bound: number
  /** Nats per token, below the bound. Up to here nothing is. Left out: half of the bound. */
  from?: number | undefined
  /** What the loss is held against: the same loss of another run, after as many tokens, or a number. Left out: the lowest that the run itself has reported. */
  against?: string | number | undefined
  /** The share of the budget, in millionths at most, that a round draws from the natural mixture: as the opening of a round says, and this one before there is a loss. Left out: 0. */
  share?: number | undefined
  /** By how much the share may fall from one round to the next, the one before the first being 1. Left out: 0.125. */
  fall?: number | undefined
}

const nats = z.number('must be a number of nats per token').refine(Number.isFinite, 'must be finite')

export const otherBoundSchema = z.strictObject({
  bound: nats.positive('must be above 0').describe('At this growth, in nats per token, all is natural'),
  from: nats
    .min(0, 'must be at least 0')
    .optional()
    .describe('Up to this growth nothing is; between the two the share rises evenly. Default: half of the bound'),
  against: z
    .union([z.string().min(1), nats], 'must be a run or a number')
    .optional()
    .describe(
      "What the loss is held against: another run's, after as many tokens, or a number. Default: the lowest that the run itself has reported",
    ),
  share: share.optional().describe('The natural share while no loss can be held against anything. Default: 0'),
  fall: share
    .refine((value) => value > 0, 'must be above 0')
    .optional()
    .describe(
      'By how much the natural share may fall from one round to the next, at most; before the first round it is 1. Default: 0.125',
    ),
  ...wanted,
})

/** The natural share of a selection. Other ways to choose that an evaluation asks about may be none that can be guarded. */
export const naturalShare = ({
  guards,
  strategy,
}: {
  guards?: { other?: OtherBound | undefined } | undefined
  strategy?: Strategy | undefined
}): number => (strategy?.mixture === undefined && decidedByCells(strategy) ? (guards?.other?.share ?? 0) : 0)

/** The configuration of a round whose opening recorded this natural share; the same where it bounds no loss on other text. @param share undefined: none was recorded */
export function withNaturalShare<Bounded extends { guards?: { other?: OtherBound | undefined } | undefined }>(
  config: Bounded,
  share: number | undefined,
): Bounded {
  const { guards } = config
  if (share === undefined || guards?.other === undefined) return config
  return { ...config, guards: { ...guards, other: { ...guards.other, share } } }
}

/** As an explanation and the board name it. */
export const otherBoundInWords = ({ bound, from = bound / 2, against, fall, ...wish }: OtherBound): string => {
  const falling = fall === undefined ? '' : `, its share falling by ${fall} a round at most`
  return `other text: at most +${bound} nats over ${againstInWords(against)}, natural mixture from +${from} on${falling}${wishInWords(wish)}`
}

const againstInWords = (against: OtherBound['against']): string =>
  against === undefined ? 'the lowest of the run' : typeof against === 'number' ? `${against}` : `run ${against}`
