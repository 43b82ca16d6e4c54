import { z } from 'zod'
import { WinnowError } from '../runtime/errors.ts'
import type { ActorOfLabels } from './types.ts'

const range = z
  .strictObject({
    from: z.number().optional().describe('The smallest number in it; default: no lower bound'),
    to: z.number().optional().describe('The number it ends before; default: no upper bound'),
  })
  .refine(({ from, to }) => from !== undefined || to !== undefined, 'needs from, to, or both')
  .refine(({ from, to }) => from === undefined || to === undefined || from < to, 'has a from that is not below its to')
  .describe('The interval of the subcategory with this name')

export const rangesConfig = z
  .record(z.string(), range)
  .describe('For scores: the interval [from, to) of each subcategory: { low: { to: 3 }, high: { from: 3 } }')

export type Ranges = z.infer<typeof rangesConfig>

const bounds = ({ from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY }: Ranges[string]) => ({ from, to })

/** @throws WinnowError CONFIGURATION for a subcategory that the actor does not have, and for overlapping intervals */
export function checkRanges(actor: ActorOfLabels, ranges: Ranges): void {
  const strange = Object.keys(ranges).find((name) => !actor.subcategories.includes(name))
  if (strange !== undefined) {
    throw new WinnowError(
      'CONFIGURATION',
      `The ranges of actor ${actor.name} have ${JSON.stringify(strange)}, which is not one of its subcategories`,
      { hint: `Subcategories: ${actor.subcategories.join(', ')}.` },
    )
  }
  const sorted = Object.entries(ranges)
    .map(([name, one]) => ({ name, ...bounds(one) }))
    .sort((a, b) => a.from - b.from || a.to - b.to)
  for (const [i, { name, from }] of sorted.entries()) {
    const before = sorted[i - 1]
    if (before === undefined || before.to <= from) continue
    throw new WinnowError('CONFIGURATION', `The ranges ${before.name} and ${name} of actor ${actor.name} overlap`, {
      hint: 'A range ends before its `to`: { low: { to: 3 }, high: { from: 3 } }.',
    })
  }
}

/** @returns the index of the subcategory whose interval [from, to) contains the number */
export function createRangeFinder(actor: ActorOfLabels, ranges: Ranges): (value: number) => number | undefined {
  const intervals = Object.entries(ranges).map(([name, one]) => ({
    index: actor.subcategories.indexOf(name),
    ...bounds(one),
  }))
  return (value) => intervals.find(({ from, to }) => from <= value && value < to)?.index
}

/** The intervals for people: `low [-∞, 3), high [3, ∞)`. */
export const rangesShown = (ranges: Ranges): string =>
  Object.entries(ranges)
    .map(([name, one]) => `${name} [${one.from ?? '-∞'}, ${one.to ?? '∞'})`)
    .join(', ')
