import { z } from 'zod'

/** What all guards have. */

/** Who wants a guard, and why, where somebody said so. */
export interface Wanted {
  by?: string | undefined
  why?: string | undefined
}

export const wanted = {
  by: z.string().optional().describe('Who wants it'),
  why: z.string().optional().describe('Why, for whoever reads an explanation or the board'),
}

/** Millionths: what is written with six decimals is exact, and products with budgets are integers. */
export const millionths = (share: number): number => Math.round(share * 1e6)

/** A share of the budget, in its unit. */
export const share = z
  .number('must be a number')
  .min(0, 'must be at least 0')
  .max(1, 'must be at most 1')
  .refine((value) => millionths(value) / 1e6 === value, 'must have at most six decimals')

export function wishInWords({ by, why }: Wanted): string {
  const parts = [by, why].filter((part) => part !== undefined && part !== '')
  return parts.length === 0 ? '' : ` (${parts.join(': ')})`
}
