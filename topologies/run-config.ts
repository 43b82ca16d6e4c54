import { z } from 'zod'
import { WinnowError } from './errors.ts'
import { parseConfigWith, selectionConfig } from './selection/config.ts'
import { onScaleOfRewards, sharesByRule, type WeightRule, weightRuleSchema } from './selection/initial-weights.ts'

const positive = z.int().min(1)

/** Topics, tables and columns carry these names, so they are plain. */
export const plainName = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/
export const plainNameRule = 'must start with a letter and contain only letters, digits, - and _, at most 63 characters'

/** docs/trainer.md, "Modes". */
const switchMode = z.union([
  z.enum(['wait', 'ready']),
  z.strictObject({ lag: positive }),
  z.strictObject({ ready: positive }),
])
export type SwitchMode = z.output<typeof switchMode>

const shape = z.strictObject({
  name: z.string().regex(plainName, plainNameRule).describe('Part of the names of its topics and checkpoints'),
  selection: selectionConfig.describe('How it selects'),
  updateSteps: positive.describe('U of Algorithm 2: optimizer steps between rounds'),
  steps: positive.describe('T of Algorithm 2: total optimizer steps'),
  sampleDocuments: z
    .int()
    .min(0)
    .default(20)
    .describe('n of SELECTION.md, step 1; 0: no rewards are requested (a control run). The paper samples more (A.7)'),
  rewardDeadlineSeconds: z
    .number()
    .min(1)
    .default(3600)
    .describe('A round closes after this long, even if answers are missing'),
  // Optional rather than defaulted, so that a run recorded before it existed is still the same record.
  exposures: z
    .boolean()
    .optional()
    .describe(
      'Whether what the trainer has read is looked up at each checkpoint, so that winnow trained and summary answer at once (docs/accountability.md). Default: no, it is when somebody asks',
    ),
  stages: z
    .strictObject({
      waitSeconds: z
        .number()
        .min(1)
        .default(3600)
        .describe('Once it is closed, a round waits at most this long; then it selects by the labels that it has'),
    })
    .optional()
    .describe(
      'A round selects once labels are there that winnow mates fit has fitted to its own rewards (docs/mates.md). Default: it does not wait, and such labels hold from a later round on',
    ),
  labelers: z
    .record(z.string(), z.string().regex(/^[a-z0-9]{1,64}$/))
    .describe('For each actor, the version of the labeler whose labels it uses'),
  initializedBy: z
    .record(
      z.string(),
      z.union(
        [z.strictObject({ campaign: z.string(), inputs: z.string() }), weightRuleSchema],
        'must be a campaign or a rule',
      ),
    )
    .optional()
    .describe(
      'Written by winnow run create: for each actor with {from: CAMPAIGN}, the campaign and the digest of what its weights are fitted to; with {rule}, the rule',
    ),
  mixedBy: z
    .strictObject({ campaign: z.string(), inputs: z.string() })
    .optional()
    .describe(
      'Written by winnow run create where selection.strategy.mixture is {from: CAMPAIGN}: the campaign and the digest of what the mixture is fitted to',
    ),
  shadowOf: z
    .string()
    .optional()
    .describe(
      'Written by winnow run shadow: the run whose rewards it folds and whose rounds it selects for; nobody trains on it',
    ),
  influence: z
    .strictObject({
      normalize: z
        .enum(['none', 'cosine'])
        .default('cosine')
        .describe('cosine: only the direction of gradients counts'),
      projectionSeed: z.string().default('winnow').describe('Seed of the gradient projection'),
      windowsMax: positive
        .default(1)
        .describe('Windows of a document that count; the rest of a long document is ignored'),
      // The following are optional rather than defaulted, so that a run recorded before they existed is still the same record.
      estimator: z
        .enum(['gradient', 'probe'])
        .optional()
        .describe(
          'gradient (the default): products of projected gradients; probe: the reference loss before minus that after a small step',
        ),
      hessian: z
        .enum(['identity', 'fisher'])
        .optional()
        .describe(
          "H of Eq. 3: identity (the default) or fisher: damped second moment of the reference samples' gradients",
        ),
      preconditioner: z
        .enum(['none', 'adam'])
        .optional()
        .describe(
          'adam: gradients are scaled as in a step of Adam, by the second moments (v.NAME) in the checkpoint, which must have them. Default: none',
        ),
      damping: z
        .number()
        .positive()
        .optional()
        .describe('lambda of fisher, in units of the mean eigenvalue. Default: 0.1'),
      context: positive
        .optional()
        .describe("Targets in a window of a document. Default: the trainer's context; the paper: 1,024 (A.7)"),
      overlap: z
        .int()
        .min(0)
        .optional()
        .describe('Tokens of a window that the next one repeats, as context only. Default: 0; the paper: 256 (A.7)'),
      probeStep: z
        .number()
        .positive()
        .optional()
        .describe('For probe: the learning rate of the step; with normalize: cosine, its length. Default: 0.01'),
      partitions: z
        .int()
        .min(1)
        .max(1024)
        .optional()
        .describe('Partitions of reward requests and rewards: the maximum number of influence workers. Default: 4'),
      combine: z
        .enum(['mean', 'max'])
        .optional()
        .describe('How the rewards for several reference tasks are combined. Default: mean'),
    })
    .refine(({ estimator, hessian }) => estimator !== 'probe' || hessian !== 'fisher', {
      path: ['hessian'],
      message: 'a probe takes no Hessian',
    })
    .refine(({ hessian, preconditioner }) => preconditioner !== 'adam' || hessian !== 'fisher', {
      path: ['preconditioner'],
      message: 'adam replaces the Hessian: choose one of the two',
    })
    .prefault({})
    .describe('How rewards are computed (Eq. 3)'),
  trainer: z
    .strictObject({
      batch: positive.default(8).describe('Sequences per step'),
      context: z.int().min(4).default(128).describe('Tokens per sequence'),
      learningRate: z.number().positive().default(5e-3).describe('Peak learning rate'),
      warmupSteps: z.int().min(0).default(50).describe('Steps over which the learning rate rises'),
      weightDecay: z.number().min(0).default(0.1).describe('Weight decay of AdamW'),
      reportSteps: positive.default(50).describe('Steps between loss reports'),
      // Optional rather than defaulted, as above.
      switch: switchMode
        .optional()
        .describe(
          'When a trainer goes on to the selection of a round that has opened at step kU. wait (the default): at once, waiting for it; {lag: L}: at step kU + L, waiting if it is not there by then; ready, or {ready: N}: N steps (10) after the first multiple of N steps at which it is there',
        ),
    })
    .prefault({})
    .describe('The reference trainer'),
  reference: z
    .strictObject({
      reward: z
        .string()
        .describe(
          'What rewards are measured against: JSON lines (plain, .gz, .zst) with text, or with context and continuation',
        ),
      moreRewards: z
        .array(z.string())
        .min(1)
        .optional()
        .describe('Further tasks that rewards are measured against, each with its own gradient; see influence.combine'),
      other: z
        .string()
        .optional()
        .describe(
          'Other text, as samples: rewards on it are recorded beside those on the reference, and selection.price says what growth of its loss costs',
        ),
      evaluation: z.string().describe('The held-out part of the reference: likewise, of other samples'),
      corpus: z.string().describe('Held-out documents of the corpus: likewise'),
      samplesMax: positive.default(256).describe('Samples used of each file'),
      evalSets: z
        .boolean()
        .optional()
        .describe(
          'Whether winnow run create makes evaluation sets of the samples of reward and evaluation: no document that contains one is selected (docs/decontamination.md). Default: where a process compares documents',
        ),
    })
    .describe('What rewards and losses are measured on'),
  model: z
    .string()
    .describe(
      'Folder of the exported graphs and tokenizer (docs/influence.md), or shipped:llama-64x2, a small one to try with',
    ),
  checkpoints: z
    .string()
    .describe(
      'Folder shared by trainer and influence workers, or an address of s3:// or gs:// (docs/stores.md). Paths are taken from the folder of this file, and recorded absolute',
    ),
})

/** A run as it is recorded. */
export const runConfigSchema = shape.superRefine((run, context) => {
  if ((run.influence.overlap ?? 0) >= (run.influence.context ?? run.trainer.context)) {
    const path = ['influence', 'overlap']
    context.addIssue({ code: 'custom', path, message: 'must be less than the context' })
  }
  const { switch: mode } = run.trainer
  if (typeof mode === 'object' && 'lag' in mode && mode.lag >= run.updateSteps) {
    const message = `must be less than updateSteps, ${run.updateSteps}: one round opens at a time`
    context.addIssue({ code: 'custom', path: ['trainer', 'switch', 'lag'], message })
  }
  if (run.selection.price !== undefined && run.reference.other === undefined) {
    const message = 'needs reference.other: samples of the text whose loss it is about'
    context.addIssue({ code: 'custom', path: ['selection', 'price'], message })
  }
  for (const { name } of run.selection.actors) {
    if (!plainName.test(name))
      context.addIssue({ code: 'custom', path: ['selection', 'actors', name], message: plainNameRule })
    if (run.labelers[name] === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['labelers', name],
        message: 'names no labeler version for this actor',
      })
    }
  }
})

/** A run's file; the descriptions here are its reference (docs/run-yaml.md) and what editors show. */
export const runFileSchema = shape.omit({ shadowOf: true }).extend({
  labelers: shape.shape.labelers
    .optional()
    .describe(
      'For each actor, the version of the labeler whose labels it uses. Default: the versions of the configuration, which are recorded (winnow labeler versions)',
    ),
})

/** Everything that defines a run; with the recorded streams, enough to repeat it. */
export type RunConfig = z.output<typeof runConfigSchema>

/** Whose rewards a run folds: its own, or, of a shadow, those of the run that it follows. */
export const rewardedRun = ({ name, shadowOf }: Pick<RunConfig, 'name' | 'shadowOf'>): string => shadowOf ?? name

/** @throws WinnowError CONFIGURATION naming the path of every problem */
export const parseRunConfig = (json: unknown): RunConfig => parseConfigWith(runConfigSchema, json)

/** The run that a record of `winnow.runs` holds. @throws WinnowError CONFIGURATION if another version of winnow wrote it, which knows more */
export function recordedConfig({ run, config }: { readonly run: string; readonly config: string }): RunConfig {
  try {
    return parseRunConfig(JSON.parse(config))
  } catch (cause) {
    throw unreadableRun(
      run,
      `its configuration: ${(cause as Error).message.replace(/^configuration: (the file: )?/, '')}`,
      cause,
    )
  }
}

export interface RuleOfRun {
  readonly actor: string
  readonly rule: WeightRule
  /** Initial weights that the rule gives, and those of the run. */
  readonly gives: readonly number[]
  readonly has: readonly number[]
}

/** The initial weights of a run that came of rules, computed again. */
export const rulesOfRun = ({ initializedBy = {}, selection }: RunConfig): RuleOfRun[] =>
  selection.actors.flatMap(({ name, subcategories, initialWeights }) => {
    const rule = Object.hasOwn(initializedBy, name) ? initializedBy[name] : undefined
    if (rule === undefined || !('rule' in rule)) return []
    const shares = sharesByRule(rule, subcategories)
    const gives = 'message' in shares ? [] : onScaleOfRewards(shares, selection)
    return [{ actor: name, rule, gives, has: initialWeights }]
  })

/** What is said of a run that cannot be read. @param why in words */
export const unreadableRun = (run: string, why: string, cause?: unknown): WinnowError =>
  new WinnowError('CONFIGURATION', `run ${run} cannot be read by this version of winnow: ${why}`, {
    hint: `Use the version of winnow that recorded it, or remove it: winnow run delete ${run}.`,
    cause,
  })

/** The run as recorded in `winnow.runs`: parses to the same RunConfig. */
export function runConfigJson(run: RunConfig): string {
  const actors = Object.fromEntries(run.selection.actors.map(({ name, ...actor }) => [name, actor]))
  return JSON.stringify({ ...run, selection: { ...run.selection, actors } })
}
