import { z } from 'zod'

/**
 * What a round selects by (SELECTION.md, "Strategies"), in four parts: which documents may be selected, by which score, in which mixture, and
 * how the order is sampled. Every method that the paper compares with is one; the default is the paper's method.
 */

/** A condition on a document; all conditions of a pool must hold. */
export type PoolCondition =
  | { tokensMin: number }
  | { actor: string; subcategories: string[] }
  | { actor: string; scoreAbove: number }
  | { actor: string; quantiles: [number, number] }

export type StrategyScore =
  | { kind: 'actors'; update?: 'code' | undefined }
  | { kind: 'zero' }
  | { kind: 'label'; actor: string; sign: 1 | -1; standardize: 'none' | 'corpus' }

/** Strata by the subcategories of an actor, each with a share of the budget. */
export type Mixture = { actor: string; weights: number[] } | { actor: string; proportional: true }

export type Sampler = { kind: 'top' } | { kind: 'gumbel'; temperature: number }

export interface Strategy {
  pool: PoolCondition[]
  score: StrategyScore
  mixture?: Mixture | undefined
  sampler: Sampler
}

const finite = z.number('must be a finite number')
const actor = z.string()

const quantile = finite.min(0, 'must be at least 0').max(1, 'must be at most 1')
const quantiles = z
  .tuple([quantile, quantile], 'must be two numbers [p, q]')
  .refine(([p, q]) => p < q, 'must be [p, q] with p below q')

const poolCondition = z.union(
  [
    z.strictObject({ tokensMin: finite.min(0, 'must not be negative') }),
    z.strictObject({ actor, subcategories: z.array(z.string()) }),
    z.strictObject({ actor, scoreAbove: finite }),
    z.strictObject({ actor, quantiles }),
  ],
  'must be one of {tokensMin}, {actor, subcategories}, {actor, scoreAbove} and {actor, quantiles: [p, q]} with 0 <= p < q <= 1',
)

const score = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({
      kind: z.literal('actors'),
      update: z.literal('code', "must be code, or be left out for the paper's").optional(),
    }),
    z.strictObject({ kind: z.literal('zero') }),
    z.strictObject({
      kind: z.literal('label'),
      actor,
      sign: z.union([z.literal(1), z.literal(-1)], 'must be 1 or -1').default(1),
      standardize: z.enum(['none', 'corpus']).default('none'),
    }),
  ],
  'must be of kind actors, zero or label',
)

const weights = z
  .array(finite.min(0, 'must not be negative'))
  .refine((values) => values.some((weight) => weight > 0), 'must not all be 0')
  .refine((values) => Number.isFinite(values.reduce((sum, weight) => sum + weight, 0)), 'must have a finite sum')

const mixture = z.union(
  [
    z.strictObject({ actor, weights }),
    z.strictObject({ actor, proportional: z.literal(true) }),
    z.strictObject({ from: z.string() }),
  ],
  'must be {actor, weights: [..]} with finite weights, none negative and not all 0, {actor, proportional: true}, or {from: CAMPAIGN}',
)

const sampler = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({ kind: z.literal('top') }),
    z.strictObject({ kind: z.literal('gumbel'), temperature: finite.positive('must be above 0') }),
  ],
  'must be of kind top or gumbel',
)

/** The parts as they are written: what is left out has a default. */
const partsShape = {
  pool: z
    .array(poolCondition)
    .optional()
    .describe('Which documents may be selected; all conditions must hold. Default: []'),
  score: score
    .optional()
    .describe(
      "actors (the default): Eq. 6, with update: code of weights and theta as the authors' code has them; zero: none; label: sign * the document's score for an actor",
    ),
  mixture: mixture
    .optional()
    .describe(
      'Shares of the budget by the subcategories of an actor; {from: CAMPAIGN}: those that a campaign of proxies led to (docs/proxies.md). Default: none',
    ),
  sampler: sampler
    .optional()
    .describe(
      'top (the default): the highest scores; gumbel: at random, with probabilities proportional to exp(score / temperature)',
    ),
}
export const partsSchema = z.strictObject(partsShape)
export type StrategyParts = z.input<typeof partsSchema>

/** The paper's method. */
export const defaultStrategy: Strategy = { pool: [], score: { kind: 'actors' }, sampler: { kind: 'top' } }

/** Whether a pool has conditions that a document's cell does not decide. */
export const looksAtDocuments = (pool: readonly PoolCondition[]): boolean =>
  pool.some((condition) => !('subcategories' in condition))

/** Whether a strategy's selections are decided by cells, without a rank for each document. */
export const decidedByCells = ({ pool, score, sampler }: Strategy = defaultStrategy): boolean =>
  !looksAtDocuments(pool) && score.kind !== 'label' && sampler.kind === 'top'

/** Whether actors and theta are updated as by the authors' code (SELECTION.md, "The authors' code"). */
export const asCode = (strategy: Strategy | undefined): boolean =>
  strategy?.score.kind === 'actors' && strategy.score.update === 'code'

interface NamedActor {
  name: string
  subcategories: readonly string[]
}

/** The problems of a strategy that depend on the configured actors, with their paths below `strategy`. */
export function strategyProblems(
  strategy: Strategy,
  actors: readonly NamedActor[],
): { path: (string | number)[]; message: string }[] {
  const problems: { path: (string | number)[]; message: string }[] = []
  const actorAt = (name: string, path: (string | number)[]) => {
    const found = actors.find((one) => one.name === name)
    if (found === undefined)
      problems.push({ path: [...path, 'actor'], message: 'names an actor that is not configured' })
    return found
  }
  for (const [i, condition] of strategy.pool.entries()) {
    if (!('actor' in condition)) continue
    const named = actorAt(condition.actor, ['pool', i])
    if (named === undefined || !('subcategories' in condition)) continue
    for (const name of condition.subcategories) {
      if (named.subcategories.includes(name)) continue
      const message = `names ${JSON.stringify(name)}, which is not a subcategory of ${named.name}`
      problems.push({ path: ['pool', i, 'subcategories'], message })
    }
  }
  if (strategy.score.kind === 'label') actorAt(strategy.score.actor, ['score'])
  const { mixture } = strategy
  if (mixture !== undefined && 'from' in mixture) {
    const message = 'names a campaign of proxies, which only winnow run create looks up'
    return [...problems, { path: ['mixture'], message }]
  }
  const strata = mixture && actorAt(mixture.actor, ['mixture'])
  if (mixture !== undefined && 'weights' in mixture && strata !== undefined) {
    const [given, wanted] = [mixture.weights.length, strata.subcategories.length]
    const message = `has ${given} weights for ${wanted} subcategories`
    if (given !== wanted) problems.push({ path: ['mixture', 'weights'], message })
  }
  return problems
}

/** The actors whose label scores a strategy uses, by index, ascending. */
export function scoredActors(strategy: Strategy, actors: readonly NamedActor[]): number[] {
  const names = new Set<string>()
  if (strategy.score.kind === 'label') names.add(strategy.score.actor)
  for (const condition of strategy.pool) {
    if ('scoreAbove' in condition || 'quantiles' in condition) names.add(condition.actor)
  }
  return [...actors.keys()].filter((a) => names.has(actors[a]!.name))
}

/** Scores of documents are bounded, so that sums of their squares stay exact (SELECTION.md, "Precisions"). */
export const isUsableScore = (score: number): boolean => Number.isFinite(score) && Math.abs(score) < 2 ** 32
