import { z } from 'zod'

/** What a document that would raise the loss on other text has to pay (SELECTION.md, "A price on other text"). */
export interface Price {
  /** Of what the loss would grow beyond the bound. */
  weight: number
  /** Growth that costs nothing, in the units of rewards. */
  bound: number
}

const finite = z.number('must be a finite number')

export const priceSchema = z
  .strictObject({
    weight: finite.positive('must be above 0').describe('How much growth beyond the bound counts against a reward'),
    bound: finite
      .min(0, 'must not be negative')
      .default(0)
      .describe('Growth that costs nothing, in the units of rewards'),
  })
  .optional()
