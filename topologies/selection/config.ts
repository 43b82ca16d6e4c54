import { z } from 'zod'
import { type SketchConfig, sketchDefaults } from '../duplicates/sketch.ts'
import { WinnowError } from '../errors.ts'
import { defaultActors } from './default-actors.ts'
import { type Guards, guardProblems, guardsSchema } from './guards-config.ts'
import { codeInitialWeight, initialWeightsSchema, onScaleOfRewards, sharesByRule } from './initial-weights.ts'
import { cellCount, cellsMax, type JointConfig, jointCells, jointDefaults, jointSchema } from './joint-config.ts'
import { type Price, priceSchema } from './price-config.ts'
import { asCode, type Strategy, strategyProblems } from './strategy.ts'
import { strategySchema } from './strategy-config.ts'

/** An actor as configured, with every default filled in. Arrays are indexed by subcategory. */
export interface ActorConfig {
  name: string
  subcategories: string[]
  /** eta_A of Eq. 5 and 8. */
  eta: number
  initialWeights: number[]
  initialTheta: number
  /** Weights and theta stay as they are, and it is asked nothing (SELECTION.md, Actors of a live run). Left out: it is not frozen. */
  frozen?: boolean
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
  collaboration: 'collaborative' | 'competitive' | 'joint' | `single:${string}`
  /** Whether the console's weights follow Eq. 8 or stay at their initial values. Left out: they follow. */
  theta?: 'fixed' | undefined
  /** Of `collaboration: joint`, and only there. */
  joint?: JointConfig | undefined
  firstSelection: 'random' | 'weights'
  unrewarded: 'keep' | 'mean'
  repetitionDecay: number
  repeat: 'allow' | 'exclude'
  budget: Budget
  /**
   * The share of a round's rewarded documents whose rewards are kept out of its fold, to evaluate its selection by (SELECTION.md, "Held-out
   * rewards"). Left out: none, and nothing is evaluated live.
   */
  holdOut?: number | undefined
  /** What growth of the loss on other text costs (SELECTION.md, "A price on other text"). Left out: nothing. */
  price?: Price | undefined
  /** What every selection must keep to, whatever the actors learn (SELECTION.md, "Guards"). Left out: nothing. */
  guards?: Guards | undefined
  /** How many near duplicates take part (SELECTION.md, "Near duplicates"). Left out: any number. */
  duplicates?: Duplicates | undefined
  /** What a round selects by; left out: the paper's method. Optional, so that a run recorded before it existed is still the same record. */
  strategy?: Strategy | undefined
}

/** Of documents that share a band key, how many take part, and how documents are sketched. */
export interface Duplicates extends SketchConfig {
  atMost: number
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
        .refine(Number.isSafeInteger, 'is not an integer that JSON represents exactly; write it as a decimal string'),
      z.string().regex(/^(?:0|-?[1-9][0-9]*)$/, 'must be a decimal integer without leading zeros'),
    ],
    'must be an integer or a decimal string',
  )
  .transform(String)

/** JSON objects move integer-like keys to the front, so these cannot name actors, whose order matters. */
const actorName = z
  .string()
  .min(1, 'an actor needs a name')
  .refine(
    (name) => !/^[0-9]+$/.test(name),
    'an actor name must not consist of digits only: JSON objects would reorder it',
  )

const actor = z.strictObject({
  subcategories: z
    .array(z.string().min(1, 'must not be empty'))
    .min(1, 'an actor needs at least one subcategory')
    .refine((names) => new Set(names).size === names.length, 'must not name a subcategory twice')
    .optional()
    .describe('Names, in order; quality, domain and topic have defaults'),
  eta: finite.default(etaDefault).describe('Learning rate of its weights (Eq. 5) and its theta (Eq. 8)'),
  initialWeights: initialWeightsSchema.optional(),
  initialTheta: finite.optional().describe('Default: equal'),
})

/** What its initial weights become depends on the rest of the configuration where a rule gave shares, or nothing was given. */
type ParsedActor = ActorConfig & { weightsBy: 'numbers' | 'rule' | 'default' }

const actors = z
  .record(actorName, actor)
  .refine((byName) => Object.keys(byName).length > 0, 'at least one actor is needed')
  .default(() => Object.fromEntries(Object.keys(defaultActors).map((name) => [name, { eta: etaDefault }])))
  .transform((byName, context): ParsedActor[] => {
    const count = Object.keys(byName).length
    return Object.entries(byName).map(([name, given]) => {
      const subcategories =
        given.subcategories ?? (Object.hasOwn(defaultActors, name) ? defaultActors[name] : undefined)
      if (subcategories === undefined) {
        context.addIssue({ code: 'custom', path: [name, 'subcategories'], message: 'is missing' })
      }
      const size = subcategories?.length ?? 0
      const { initialWeights: wanted } = given
      const refused = (message: string, ...path: string[]) =>
        context.addIssue({ code: 'custom', path: [name, 'initialWeights', ...path], message })
      let weights = Array.isArray(wanted) ? wanted : undefined
      const byRule = wanted !== undefined && 'rule' in wanted
      if (byRule && subcategories !== undefined) {
        const shares = sharesByRule(wanted, subcategories)
        if ('message' in shares) refused(shares.message, ...shares.path)
        else weights = shares
      } else if (wanted !== undefined && 'from' in wanted) {
        refused('names a campaign of proxies, which only winnow run create looks up')
      }
      if (weights !== undefined && subcategories !== undefined && weights.length !== size)
        refused(`has ${weights.length} weights for ${size} subcategories`)
      return {
        name,
        subcategories: [...(subcategories ?? [])],
        eta: given.eta,
        initialWeights: weights ?? Array.from({ length: size }, () => 1 / size),
        initialTheta: given.initialTheta ?? 1 / count,
        weightsBy: byRule ? 'rule' : wanted === undefined ? 'default' : 'numbers',
      }
    })
  })

const rewardTransform = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('identity') }),
    z.strictObject({
      kind: z.literal('exp'),
      scale: finite.default(expScaleDefault).describe("The authors' code uses 0.5"),
    }),
    z.strictObject({ kind: z.literal('standardize') }),
  ])
  .default({ kind: 'identity' })

const collaboration = z
  .custom<SelectionConfig['collaboration']>(
    (value) =>
      value === 'collaborative' ||
      value === 'competitive' ||
      value === 'joint' ||
      (typeof value === 'string' && value.startsWith('single:')),
    'must be collaborative, competitive, joint or single:ACTOR',
  )
  .default('collaborative')
  .meta({
    type: 'string',
    pattern: '^(collaborative|competitive|joint|single:.+)$',
    description:
      'collaborative: theta weighs the actors (Eq. 6); competitive: only the actor with the largest theta counts; joint: the weights of all actors are fitted together and added up, without theta; single:ACTOR: that one alone',
  })

const budget = z.union(
  [z.strictObject({ documents: atLeastOne }), z.strictObject({ tokens: atLeastOne })],
  'must be {"documents": n} or {"tokens": n} with an integer n of at least 1',
)

const shape = {
  seed: seed.describe('Seed of all random choices; a decimal string if it exceeds 2^53'),
  actors: actors.describe('In order. Default: quality, domain and topic'),
  update: z
    .enum(['ema', 'additive'])
    .default('ema')
    .describe('ema: Eq. 5; additive: w + eta * R (Algorithm 2, line 8)'),
  rewardTransform: rewardTransform.describe(
    'Applied to rewards before they count: identity (the paper), exp(scale * r), or standardize over the round',
  ),
  normalize: z
    .enum(['none', 'sum'])
    .default('none')
    .describe('sum: weights of an actor, and thetas, are divided by their sum after each round'),
  collaboration,
  joint: jointSchema.describe('How collaboration: joint fits (docs/SELECTION.md, "Joint weights")'),
  theta: z
    .literal('fixed', 'must be fixed, or be left out')
    .optional()
    .describe('fixed: theta stays at its initial values. Default: it follows Eq. 8'),
  firstSelection: z
    .enum(['random', 'weights'])
    .default('random')
    .describe('How round 0 selects: at random, or by the initial weights'),
  unrewarded: z
    .enum(['keep', 'mean'])
    .default('keep')
    .describe(
      'keep: a subcategory without a reward keeps its weight; mean: one that never had a reward takes the mean weight of those that had',
    ),
  repetitionDecay: finite
    .min(0, 'must not be negative')
    .default(0)
    .describe('d: scores are lowered by the factor 1 + d * (how often the trainer has read the document)'),
  repeat: z
    .enum(['allow', 'exclude'])
    .default('allow')
    .describe('exclude: documents that were read are not selected again'),
  budget: budget.describe('Size of each selection'),
  holdOut: finite
    .positive('must be above 0')
    .max(0.9, 'must be at most 0.9')
    .optional()
    .describe(
      'Share of the sampled documents whose rewards no actor folds: they say what the selection is worth (docs/evaluation.md). Default: none',
    ),
  price: priceSchema.describe(
    'What documents pay that would raise the loss on other text; needs reference.other (docs/SELECTION.md, "A price on other text"). Default: nothing',
  ),
  guards: guardsSchema.describe(
    'What every selection must keep to: floors, caps and pins of subcategories, repetitions, and the loss on other text (docs/SELECTION.md, "Guards"). Default: nothing',
  ),
  duplicates: z
    .strictObject({
      atMost: atLeastOne.describe('Of the documents that share a band key, those with the smallest ids take part'),
      words: atLeastOne.max(50, 'must be at most 50').default(sketchDefaults.words).describe('Words of a shingle'),
      bands: atLeastOne
        .max(100, 'must be at most 100')
        .default(sketchDefaults.bands)
        .describe('More bands find pairs that are less alike'),
      rows: atLeastOne
        .max(100, 'must be at most 100')
        .default(sketchDefaults.rows)
        .describe('Numbers in a band: more of them find only pairs that are more alike'),
      seed: finite
        .refine(
          (value) => Number.isInteger(value) && value >= 0 && value < 2 ** 31,
          'must be an integer from 0 to 2^31 - 1',
        )
        .default(sketchDefaults.seed)
        .describe('Seed of the hashes'),
    })
    .optional()
    .describe('How many near duplicates take part (docs/duplicates.md). Default: any number'),
  strategy: strategySchema
    .optional()
    .describe('What a round selects by: pool, score, mixture, sampler. Default: the highest actor scores'),
}

/** What the authors' code has rules of its own for. */
const inCode = [
  ['update', 'ema'],
  ['rewardTransform', 'identity'],
  ['normalize', 'none'],
  ['unrewarded', 'keep'],
] as const

/** For `superRefine`: `single:A` and a strategy must name configured actors. */
function checkCollaboration(
  config: Pick<
    SelectionConfig,
    'actors' | 'collaboration' | 'guards' | 'joint' | 'theta' | 'price' | 'strategy' | (typeof inCode)[number][0]
  >,
  context: z.core.$RefinementCtx,
): void {
  // One that is not well formed has been named already.
  const strategy = context.issues.some(({ path }) => path?.[0] === 'strategy') ? undefined : config.strategy
  for (const { path, message } of strategy ? strategyProblems(strategy, config.actors) : []) {
    context.addIssue({ code: 'custom', path: ['strategy', ...path], message })
  }
  const guards = context.issues.some(({ path }) => path?.[0] === 'guards') ? undefined : config.guards
  for (const { path, message } of guards ? guardProblems(guards, { actors: config.actors, strategy }) : [])
    context.addIssue({ code: 'custom', path: ['guards', ...path], message })
  for (const [key, wanted] of asCode(strategy) ? inCode : []) {
    const is: unknown = config[key]
    if ((typeof is === 'object' ? (is as { kind: unknown }).kind : is) === wanted) continue
    const message = `must be ${wanted} or left out: the strategy's score has update: code, which has rules of its own`
    context.addIssue({ code: 'custom', path: [key], message })
  }
  const refused = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
  if (config.theta !== undefined && asCode(strategy))
    refused('theta', "must be left out: the strategy's score has update: code, which has rules of its own")
  if (config.price !== undefined && asCode(strategy))
    refused('price', "must be left out: the strategy's score has update: code, which has rules of its own")
  if (config.collaboration !== 'joint') {
    if (config.joint !== undefined) refused('joint', 'is about collaboration: joint, which this is not')
  } else if (asCode(strategy)) {
    refused('collaboration', "must not be joint: the strategy's score has update: code, which has rules of its own")
  } else if (config.normalize !== 'none') {
    refused('normalize', 'must be none or left out with collaboration: joint, whose weights may add up to 0')
  }
  if (jointCells(config) !== undefined && cellCount(config.actors) > cellsMax)
    context.addIssue({
      code: 'custom',
      path: ['joint', 'cells'],
      message: `there are ${cellCount(config.actors)} cells, and residuals are for at most ${cellsMax}`,
    })
  if (!config.collaboration.startsWith('single:')) return
  if (config.actors.some((actor) => `single:${actor.name}` === config.collaboration)) return
  context.addIssue({ code: 'custom', path: ['collaboration'], message: 'names an actor that is not configured' })
}

/** C.json of SELECTION.md. Unknown keys are errors at every level; what is left out has the paper's value. */
export const selectionConfig = z
  .strictObject(shape)
  .superRefine(checkCollaboration)
  .transform((config): SelectionConfig => {
    const actors = config.actors.map(({ weightsBy, ...actor }) => {
      const { initialWeights: given } = actor
      if (weightsBy === 'rule') return { ...actor, initialWeights: onScaleOfRewards(given, config) }
      const asInCode = weightsBy === 'default' && asCode(config.strategy)
      return asInCode ? { ...actor, initialWeights: given.map(() => codeInitialWeight) } : actor
    })
    const { joint: given, ...others } = config
    return { ...others, actors, ...(config.collaboration === 'joint' && { joint: given ?? jointDefaults }) }
  })

/** @throws WinnowError CONFIGURATION that names the path of every problem */
export function parseSelectionConfig(json: unknown): SelectionConfig {
  return parseConfigWith(selectionConfig, json)
}

/** Parses a configuration by a schema. @throws WinnowError CONFIGURATION that names the path of every problem */
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
      hint: 'Fix the named entries of the configuration; nothing was changed.',
    },
  )
}

/** The path of a key `__proto__`, which the schema would silently ignore. */
function pathOfPrototypeKey(json: unknown): string[] | null {
  if (typeof json !== 'object' || json === null) return null
  for (const [key, value] of Object.entries(json)) {
    const below = key === '__proto__' ? [] : pathOfPrototypeKey(value)
    if (below !== null) return [key, ...below]
  }
  return null
}

/** One sentence per problem. A union is reported by the branch that matched furthest, so as to name `budget.documents` and not only `budget`. */
function sentences(issue: z.core.$ZodIssue, prefix: PropertyKey[] = []): string[] {
  const path = [...prefix, ...issue.path]
  if (issue.code === 'invalid_union') {
    const deeper =
      issue.errors.find((branch) => branch.length > 0 && branch.every((inner) => inner.code === 'custom')) ??
      issue.errors.find((branch) => branch.length > 0 && branch.every((inner) => inner.path.length > 0))
    if (deeper !== undefined) return deeper.flatMap((inner) => sentences(inner, path))
  }
  if (issue.code === 'invalid_key') return issue.issues.flatMap((inner) => sentences(inner, path))
  return [`${path.length === 0 ? 'the file' : path.map(String).join('.')}: ${issue.message}`]
}
