import { z } from 'zod'
import { exp } from './exp.ts'

const wantedFrom = 'must be the name of a subcategory or its index from 0'

export const weightRuleSchema = z.discriminatedUnion(
  'rule',
  [
    z.strictObject({ rule: z.literal('equal') }),
    z.strictObject({
      rule: z.literal('threshold'),
      from: z
        .union([z.string(), z.int().min(0, wantedFrom)], wantedFrom)
        .describe(
          'Name of a subcategory, or its index from 0: it and all after it have the same share, those before none',
        ),
    }),
    z.strictObject({
      rule: z.literal('softmax'),
      temperature: z
        .number('must be a finite number')
        .positive('must be above 0')
        .describe(
          't: shares are proportional to exp(midpoint / t) of the intervals that the subcategories are named by',
        ),
    }),
  ],
  'must be threshold, softmax or equal',
)

/** Initial weights by rule (docs/proxies.md, "Rules"): from the subcategories alone, without a corpus. */
export type WeightRule = z.output<typeof weightRuleSchema>

const forms = 'numbers, {from: CAMPAIGN}, {rule: threshold, from}, {rule: softmax, temperature} or {rule: equal}'

/** `initialWeights` as it is written. */
export const initialWeightsSchema = z
  .union(
    [
      z.array(z.number('must be a finite number')),
      z.strictObject({ from: z.string('must be the name of a campaign') }),
      weightRuleSchema,
    ],
    `must be ${forms} (docs/proxies.md)`,
  )
  .describe(`By subcategory: ${forms} (docs/proxies.md). Default: equal`)

/** `initialize_weights` of the authors' code: of every subcategory, where the paper begins with shares. */
export const codeInitialWeight = 10

export interface RuleProblem {
  /** Below `initialWeights`. */
  readonly path: readonly string[]
  readonly message: string
}

/** The shares that a rule gives; they sum to 1 up to rounding. Or why it gives none. */
export function sharesByRule(rule: WeightRule, subcategories: readonly string[]): number[] | RuleProblem {
  const size = subcategories.length
  switch (rule.rule) {
    case 'equal':
      return subcategories.map(() => 1 / size)
    case 'threshold': {
      const { from } = rule
      const first = typeof from === 'number' ? from : subcategories.indexOf(from)
      if (first >= 0 && first < size) return subcategories.map((_, j) => (j < first ? 0 : 1 / (size - first)))
      const known =
        typeof from === 'number' ? `0 to ${size - 1}` : subcategories.map((name) => JSON.stringify(name)).join(', ')
      return { path: ['from'], message: `${JSON.stringify(from)} is no subcategory of this actor: it has ${known}` }
    }
    case 'softmax': {
      const middles = subcategories.map(midpoint)
      const strange = middles.indexOf(null)
      if (strange !== -1) {
        const message = `softmax needs subcategories that are named by an interval, like 2-3, or by a number; ${JSON.stringify(subcategories[strange])} is not`
        return { path: [], message }
      }
      return softmax(middles as number[], rule.temperature)
    }
  }
}

const number = '-?[0-9]+(?:\\.[0-9]+)?'
const interval = new RegExp(`^(${number})(?:-(${number}))?$`)

/** Of the interval that a subcategory is named by: 2.5 of `2-3`, 3 of `3`; null of a name that is none. */
function midpoint(name: string): number | null {
  const [, low, high = low] = interval.exec(name) ?? []
  return low === undefined || Number(high) < Number(low) ? null : (Number(low) + Number(high)) / 2
}

/** exp(x_j / t) over their sum; the largest exponent is 0, so that nothing overflows. */
function softmax(values: readonly number[], temperature: number): number[] {
  const top = Math.max(...values)
  const terms = values.map((value) => exp((value - top) / temperature))
  const sum = terms.reduce((a, b) => a + b, 0)
  return terms.map((term) => term / sum)
}

/**
 * Shares on the scale of the rewards that will move them: z-scores over the subcategories where rewards are standardized, unless `normalize: sum`
 * keeps weights as shares; else the shares themselves (SELECTION.md, "Initial weights by rule").
 */
export function onScaleOfRewards(
  shares: readonly number[],
  { rewardTransform, normalize }: { readonly rewardTransform: { readonly kind: string }; readonly normalize: string },
): number[] {
  if (rewardTransform.kind !== 'standardize' || normalize === 'sum') return [...shares]
  const mean = shares.reduce((a, b) => a + b, 0) / shares.length
  const deviation = Math.sqrt(shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / shares.length)
  // Rounding leaves a trace of a deviation where all are equal.
  return shares.map((share) => (deviation < 1e-12 ? 0 : (share - mean) / deviation))
}
