import { z } from 'zod'
import type { Campaign } from '../../schemas/index.ts'
import { type DogeOptions, dogeDefaults, dogeVariants } from './doge.ts'
import { type DoremiOptions, doremiDefaults } from './doremi.ts'

/** How a campaign learns a mixture while one proxy trains: recorded in its plan. */
export type MixingOptions = TrainedBy &
  (({ readonly method: 'doremi' } & DoremiOptions) | ({ readonly method: 'doge' } & DogeOptions))

export const mixingTrainers = ['typescript', 'python'] as const
interface TrainedBy {
  /** Left out: the reference trainer. PyTorch's sums differ in their last digits, so that the two come to other bits. */
  readonly trainer?: 'python' | undefined
}

export const learningMethods = ['doremi', 'doge'] as const

const number = z.number('must be a number')
const positive = number.positive('must be above 0')
const share = number.min(0, 'must be at least 0').lt(1, 'must be below 1')

const trainer = z.literal('python').optional()

const schemas = {
  doremi: z.strictObject({
    method: z.literal('doremi'),
    trainer,
    rate: positive.default(doremiDefaults.rate),
    smoothing: share.default(doremiDefaults.smoothing),
  }),
  doge: z.strictObject({
    method: z.literal('doge'),
    trainer,
    variant: z.enum(dogeVariants).default('universal'),
    mu: positive.default(dogeDefaults.mu),
    smoothing: share.default(dogeDefaults.smoothing),
    gainMin: number.default(dogeDefaults.gainMin),
    gainMax: number.default(dogeDefaults.gainMax),
  }),
}
const schema = z.discriminatedUnion('method', [schemas.doremi, schemas.doge])

/** Names of a method's options. */
export const optionsOfMethod = (method: MixingOptions['method']): string[] =>
  Object.keys(schemas[method].shape).filter((name) => name !== 'method')

/** Options with defaults for what is left out, or what is wrong with them. */
export const mixingOptions = (given: unknown): z.ZodSafeParseResult<MixingOptions> => schema.safeParse(given)

/** The options that a campaign records. @throws z.ZodError */
export const recordedOptions = ({ options }: Pick<Campaign, 'options'>): MixingOptions =>
  schema.parse(JSON.parse(options ?? '{}'))
