import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { parseConfigWith } from '../../topologies/selection/config.ts'
import { readYaml } from '../config/load.ts'
import { isShipped } from '../model/shipped.ts'
import { WinnowError } from '../runtime/errors.ts'

const positive = z.int('must be a whole number').min(1, 'must be at least 1')
const name = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9_ -]{0,39}$/,
    'must start with a letter and have at most 40 letters, digits, spaces, - and _',
  )
const paths = z.union([z.string(), z.array(z.string()).min(1, 'must name a file')]).transform((given) => [given].flat())

const corpus = z.union(
  [
    z.literal('demo'),
    z.strictObject({
      files: paths.describe('What the cells train on, in formats that winnow ingest reads'),
      textField: z.string().default('text'),
      actors: z.unknown().optional().describe('As in winnow.yaml. Default: quality, domain and topic'),
      other: z.string().describe('Held-out documents of the corpus: the price on other text is measured on them'),
      tasks: z
        .record(name, z.strictObject({ reward: z.string(), evaluation: z.string() }))
        .refine((tasks) => Object.keys(tasks).length > 0, 'must name a task')
        .describe('What a model is to become good at: samples for rewards, and others for the losses'),
    }),
  ],
  'must be demo, or {files, other, tasks} (docs/EXPERIMENTS.md)',
)

const strategy = z.strictObject({
  like: name.optional().describe('Has the keys of this strategy, and those given here beside them'),
  actors: z.array(z.string()).min(1, 'must name an actor').optional().describe('Only these. Default: all'),
  selection: z.record(z.string(), z.unknown()).default({}).describe('Keys of selection in run.yaml'),
  sampleDocuments: z.int().min(0).optional().describe('Default: that of run; 0 where no actor scores'),
  times: positive
    .default(1)
    .describe('So many times the steps of each budget: 2 is the control that may train twice as long'),
})

const shape = z.strictObject({
  corpus,
  model: z.string().describe('Folder of exported graphs, or shipped:llama-64x2'),
  references: z
    .record(name, z.array(name).min(1, 'must name a task'))
    .optional()
    .describe('Tasks that a model is measured on together. Default: each task by itself'),
  select: z.number().positive().max(1).default(0.25).describe('The share of the corpus that a round selects'),
  samplesMax: positive.default(256).describe('Samples used of each file of a task, and held-out documents'),
  rounds: positive.default(5).describe('Stages of equal length, each on a selection of its own'),
  run: z.record(z.string(), z.unknown()).default({}).describe('Keys of run.yaml that all cells have'),
  strategies: z
    .record(name, z.union([strategy, z.null().transform(() => strategy.parse({}))]))
    .refine((given) => Object.keys(given).length > 0, 'must name a strategy'),
  baseline: name.default('random').describe('The strategy that all are compared with, by pairs of the same seed'),
  seeds: z
    .array(z.int('must be a whole number'))
    .min(1, 'must have a seed')
    .refine((given) => new Set(given).size === given.length, 'must not have a seed twice'),
  budgets: z
    .array(positive)
    .min(1, 'must have a number of steps')
    .refine((given) => new Set(given).size === given.length, 'must not have a budget twice')
    .describe('Optimizer steps'),
})

/** What a plan's file says, with defaults; paths are absolute. */
export type Plan = z.output<typeof shape> & { readonly file: string }
export type PlannedStrategy = z.output<typeof strategy>

/** Keys of run.yaml that the plan has in places of its own, or that differ from cell to cell. */
const ownKeys = ['name', 'steps', 'updateSteps', 'labelers', 'reference', 'model', 'checkpoints'] as const

/**
 * Reads a plan and refuses what is wrong with the file itself; what depends on the corpus is found by `cellsOf`.
 * @param baseline instead of the plan's
 * @throws WinnowError CONFIGURATION naming the file and every place in it
 */
export function readPlan(path: string, folder: string, baseline?: string): Plan {
  const file = resolve(folder, path)
  const base = dirname(file)
  const absolute = (one: string) => resolve(base, one)
  const checked = shape.superRefine((plan, context) => {
    const refused = (message: string, ...path: string[]) => context.addIssue({ code: 'custom', path, message })
    const { strategies, baseline, run, references = {}, corpus: given } = plan
    if (strategies[baseline] === undefined)
      refused(
        `names ${JSON.stringify(baseline)}, which is none of the strategies: ${Object.keys(strategies).join(', ')}`,
        'baseline',
      )
    else if (strategies[baseline].times !== 1)
      refused('must train once: strategies are compared at its tokens', 'baseline')
    for (const [own, { like }] of Object.entries(strategies)) {
      if (like === undefined) continue
      if (strategies[like] === undefined)
        refused(`names ${JSON.stringify(like)}, which is no strategy`, 'strategies', own, 'like')
      else if (strategies[like].like !== undefined)
        refused('names a strategy that is like another one itself', 'strategies', own, 'like')
    }
    for (const key of ownKeys)
      if (key in run)
        refused(`${key} differs from cell to cell, or has a place of its own in the plan: leave it out`, 'run', key)
    if (given === 'demo') return
    for (const [own, tasks] of Object.entries(references))
      for (const task of tasks)
        if (given.tasks[task] === undefined)
          refused(
            `names ${JSON.stringify(task)}, which is none of corpus.tasks: ${Object.keys(given.tasks).join(', ')}`,
            'references',
            own,
          )
  })
  try {
    const plan = parseConfigWith(checked, withBaseline(readYaml(file), baseline))
    return {
      ...plan,
      file,
      model: isShipped(plan.model) ? plan.model : absolute(plan.model),
      corpus:
        plan.corpus === 'demo'
          ? 'demo'
          : {
              ...plan.corpus,
              files: plan.corpus.files.map(absolute),
              other: absolute(plan.corpus.other),
              tasks: Object.fromEntries(
                Object.entries(plan.corpus.tasks).map(([task, { reward, evaluation }]) => [
                  task,
                  { reward: absolute(reward), evaluation: absolute(evaluation) },
                ]),
              ),
            },
    }
  } catch (error) {
    if (!(error instanceof WinnowError) || error.message.startsWith(file)) throw error
    throw new WinnowError(error.code, `${file}: ${error.message}`, {
      hint: error.hint ?? 'docs/EXPERIMENTS.md has a plan that works.',
      cause: error,
    })
  }
}

/** What is no object is refused as it is. */
const withBaseline = (given: unknown, baseline: string | undefined): unknown =>
  baseline === undefined || typeof given !== 'object' || given === null ? given : { ...given, baseline }
