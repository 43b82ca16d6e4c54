import { z } from 'zod'
import { type DogeOptions, dogeDefaults, dogeVariants } from './doge.ts'
import { type DoremiOptions, doremiDefaults } from './doremi.ts'

/** How a campaign learns a mixture while one proxy trains: recorded in its plan. */
export type MixingOptions =
  | ({ readonly method: 'doremi' } & DoremiOptions)
  | ({ readonly method: 'doge' } & DogeOptions)

export const learningMethods = ['doremi', 'doge'] as const

const positive = z.number().positive('must be above 0')
const share = z.number().min(0, 'must be at least 0').max(1, 'must be at most 1')

const schema = z.discriminatedUnion('method', [
  z.strictObject({
    method: z.literal('doremi'),
    rate: positive.default(doremiDefaults.rate),
    smoothing: share.default(doremiDefaults.smoothing),
  }),
  z.strictObject({
    method: z.literal('doge'),
    variant: z.enum(dogeVariants).default('universal'),
    mu: positive.default(dogeDefaults.mu),
    smoothing: share.default(dogeDefaults.smoothing),
    gainMin: z.number().default(dogeDefaults.gainMin),
    gainMax: z.number().default(dogeDefaults.gainMax),
  }),
])

/** Options with defaults for what is left out. @throws z.ZodError */
export const mixingOptions = (given: unknown): MixingOptions => schema.parse(given)
