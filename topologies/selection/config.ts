import { z } from 'zod'
import { WinnowError } from '../errors.ts'
import { defaultActors } from './default-actors.ts'

/** An actor as configured, with every default filled in. Arrays are indexed by subcategory. */
export interface ActorConfig {
  name: string
  subcategories: string[]
  /** eta_A of Eq. 5 and 8. */
  eta: number
  initialWeights: number[]
  initialTheta: number
}

export type RewardTransform = { kind: 'identity' } | { kind: 'exp'; scale: number } | { kind: 'standardize' }
export type Budget = { documents: number } | { tokens: number }

/** What decides a run's selections (C.json of SELECTION.md), with every default filled in. */
export interface SelectionConfig {
  /** As text, since seeds may exceed what a JavaScript number holds. */
  seed: string
  /** In configuration order. */
  actors: ActorConfig[]
  update: 'ema' | 'additive'
  rewardTransform: RewardTransform
  normalize: 'none' | 'sum'
  collaboration: 'collaborative' | 'competitive' | `single:${string}`
  firstSelection: 'random' | 'weights'
  unrewarded: 'keep' | 'mean'
  repetitionDecay: number
  repeat: 'allow' | 'exclude'
  budget: Budget
}

/** The paper's learning rate. */
const etaDefault = 0.1
/** The authors' scale in exp(scale * r). */
const expScaleDefault = 0.5

const finite = z.number('must be a finite number')
const atLeastOne = finite
  .refine((value) => Number.isInteger(value), 'must be an integer')
  .refine((value) => value >= 1, 'must be at least 1')

const seed = z
  .union(
    [
      z
        .number()
        .refine(Number.isSafeInteger, 'is not an integer that JSON carries exactly; write it as a decimal string'),
      z.string().regex(/^(?:0|-?[1-9][0-9]*)$/, 'must be a decimal integer without leading zeros'),
    ],
    'must be an integer or a decimal string',
  )
  .transform(String)

/** JSON objects move integer-like keys to the front, so they may not name actors, whose order counts. */
const actorName = z
  .string()
  .min(1, 'an actor needs a name')
  .refine(
    (name) => !/^(?:0|[1-9][0-9]*)$/.test(name),
    'an actor name must not be a number, JSON objects would reorder it',
  )

const actor = z.strictObject({
  subcategories: z
    .array(z.string().min(1, 'must not be empty'))
    .min(1, 'an actor needs at least one subcategory')
    .refine((names) => new Set(names).size === names.length, 'must not name a subcategory twice')
    .optional(),
  eta: finite.default(etaDefault),
  initialWeights: z.array(finite).optional(),
  initialTheta: finite.optional(),
})

const actors = z
  .record(actorName, actor)
  .refine((byName) => Object.keys(byName).length > 0, 'at least one actor is needed')
  .default(() => Object.fromEntries(Object.keys(defaultActors).map((name) => [name, { eta: etaDefault }])))
  .transform((byName, context): ActorConfig[] => {
    const count = Object.keys(byName).length
    return Object.entries(byName).map(([name, given]) => {
      const subcategories =
        given.subcategories ?? (Object.hasOwn(defaultActors, name) ? defaultActors[name] : undefined)
      if (subcategories === undefined) {
        context.addIssue({ code: 'custom', path: [name, 'subcategories'], message: 'is missing' })
      }
      const size = subcategories?.length ?? 0
      if (given.initialWeights !== undefined && subcategories !== undefined && given.initialWeights.length !== size) {
        const message = `has ${given.initialWeights.length} weights for ${size} subcategories`
        context.addIssue({ code: 'custom', path: [name, 'initialWeights'], message })
      }
      return {
        name,
        subcategories: [...(subcategories ?? [])],
        eta: given.eta,
        initialWeights: given.initialWeights ?? Array.from({ length: size }, () => 1 / size),
        initialTheta: given.initialTheta ?? 1 / count,
      }
    })
  })

const rewardTransform = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('identity') }),
    z.strictObject({ kind: z.literal('exp'), scale: finite.default(expScaleDefault) }),
    z.strictObject({ kind: z.literal('standardize') }),
  ])
  .default({ kind: 'identity' })

const collaboration = z
  .custom<SelectionConfig['collaboration']>(
    (value) =>
      value === 'collaborative' ||
      value === 'competitive' ||
      (typeof value === 'string' && value.startsWith('single:')),
    'must be collaborative, competitive or single:ACTOR',
  )
  .default('collaborative')

const budget = z.union(
  [z.strictObject({ documents: atLeastOne }), z.strictObject({ tokens: atLeastOne })],
  'must be {"documents": n} or {"tokens": n} with an integer n of at least 1',
)

/** The fields of `selectionConfig`, for a configuration that extends it (then refine with `checkCollaboration`). */
export const selectionConfigShape = {
  seed,
  actors,
  update: z.enum(['ema', 'additive']).default('ema'),
  rewardTransform,
  normalize: z.enum(['none', 'sum']).default('none'),
  collaboration,
  firstSelection: z.enum(['random', 'weights']).default('random'),
  unrewarded: z.enum(['keep', 'mean']).default('keep'),
  repetitionDecay: finite.min(0, 'must not be negative').default(0),
  repeat: z.enum(['allow', 'exclude']).default('allow'),
  budget,
}

/** For `superRefine`: `single:A` must name a configured actor. */
export function checkCollaboration(
  config: Pick<SelectionConfig, 'actors' | 'collaboration'>,
  context: z.core.$RefinementCtx,
): void {
  if (!config.collaboration.startsWith('single:')) return
  if (config.actors.some((actor) => `single:${actor.name}` === config.collaboration)) return
  context.addIssue({ code: 'custom', path: ['collaboration'], message: 'names an actor that is not configured' })
}

/** C.json of SELECTION.md. Unknown keys are errors at every level; what is left out has the paper's value. */
export const selectionConfig = z.strictObject(selectionConfigShape).superRefine(checkCollaboration)

/** @throws WinnowError CONFIGURATION that names the path of every problem */
export function parseSelectionConfig(json: unknown): SelectionConfig {
  return parseConfigWith(selectionConfig, json)
}

/** Parses a configuration by any schema. @throws WinnowError CONFIGURATION that names the path of every problem */
export function parseConfigWith<T>(schema: z.ZodType<T>, json: unknown): T {
  const prototypeKey = pathOfPrototypeKey(json)
  if (prototypeKey !== null) {
    throw new WinnowError('CONFIGURATION', `configuration: ${prototypeKey.join('.')}: is not a usable name`)
  }
  const result = schema.safeParse(json)
  if (result.success) return result.data
  throw new WinnowError(
    'CONFIGURATION',
    `configuration: ${result.error.issues.flatMap((issue) => sentences(issue)).join('; ')}`,
    {
      hint: 'Mend the named places of the configuration; nothing was changed.',
    },
  )
}

/** Where a key `__proto__` stands, which the schema would pass over in silence. */
function pathOfPrototypeKey(json: unknown): string[] | null {
  if (typeof json !== 'object' || json === null) return null
  for (const [key, value] of Object.entries(json)) {
    const below = key === '__proto__' ? [] : pathOfPrototypeKey(value)
    if (below !== null) return [key, ...below]
  }
  return null
}

/** One sentence a problem. A union is reported by the branch that came furthest, so that `budget.documents` is named and not only `budget`. */
function sentences(issue: z.core.$ZodIssue, prefix: PropertyKey[] = []): string[] {
  const path = [...prefix, ...issue.path]
  if (issue.code === 'invalid_union') {
    const deeper = issue.errors.find((branch) => branch.length > 0 && branch.every((inner) => inner.code === 'custom'))
    if (deeper !== undefined) return deeper.flatMap((inner) => sentences(inner, path))
  }
  if (issue.code === 'invalid_key') return issue.issues.flatMap((inner) => sentences(inner, path))
  return [`${path.length === 0 ? 'the file' : path.map(String).join('.')}: ${issue.message}`]
}
