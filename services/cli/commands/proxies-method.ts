import { type Command, Option } from 'commander'
import { curveSteps, type Grid, parseGridOptions } from '../../../topologies/campaign/grid.ts'
import { fewestPoints } from '../../../topologies/fits/power-law.ts'
import { dogeVariants } from '../../../topologies/mixing/doge.ts'
import { learningMethods, mixingOptions, mixingTrainers, optionsOfMethod } from '../../../topologies/mixing/options.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import { modelSizes } from '../../campaigns/models.ts'
import type { Method } from '../../campaigns/plan.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { naturalNumber } from '../context.ts'

const methods = ['regmix', 'dmlaw', ...learningMethods] as const

/** Mixtures of a method that trains many: the authors of data mixing laws have 20. */
export const mixturesOf = { regmix: 64, dmlaw: 20 } as const
const pointsDefault = 8

export interface MethodOptions {
  readonly method: (typeof methods)[number]
  readonly proxies?: number
  readonly rate?: string
  readonly smoothing?: string
  readonly variant?: string
  readonly mu?: string
  readonly trainer?: (typeof mixingTrainers)[number]
  readonly models?: string[]
  readonly targetParameters?: number
  readonly targetSteps?: number
  readonly points?: number
}

const own = [
  'rate',
  'smoothing',
  'variant',
  'mu',
  'trainer',
  'models',
  'targetParameters',
  'targetSteps',
  'points',
] as const
const ofGrid: readonly string[] = ['models', 'targetParameters', 'targetSteps', 'points']

/** `--method` and the options of each. */
export const withMethods = (command: Command): Command =>
  command
    .addOption(
      new Option(
        '--method <method>',
        'regmix: many mixtures, then a fit; dmlaw: these on models of several sizes, then laws up to a larger one; doremi, doge: one that is learned',
      )
        .choices(methods)
        .default('regmix'),
    )
    .option('--rate <number>', 'of doremi: step size of the weights (default: 1)')
    .option('--smoothing <share>', 'of doremi and doge: spread evenly after each update (default: 1e-4, and 0)')
    .addOption(
      new Option(
        '--variant <variant>',
        "of doge: for all subcategories (universal, the default), or for the run's reference for rewards",
      ).choices(dogeVariants),
    )
    .option('--mu <number>', 'of doge: how far the weights resist; smaller moves them faster (default: 0.05)')
    .addOption(
      new Option(
        '--trainer <trainer>',
        'of doremi and doge: the reference trainer, or PyTorch (default: typescript)',
      ).choices(mixingTrainers),
    )
    .option('--models <folders>', "of dmlaw: models of several sizes, by commas (default: the run's)", (text: string) =>
      text.split(',').filter((name) => name !== ''),
    )
    .option('--target-parameters <count>', 'of dmlaw: size of the model to predict for', naturalNumber)
    .option('--target-steps <count>', 'of dmlaw: optimizer steps to predict for', naturalNumber)
    .option('--points <count>', `of dmlaw: losses along each proxy (default: ${pointsDefault})`, naturalNumber)

const flag = (name: string) => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

/**
 * The method that is asked for.
 * @param folder that paths are relative to
 * @throws WinnowError USAGE for options of another method, or values that cannot be; CONFIGURATION, MODEL_UNUSABLE for models
 */
export async function methodOf(
  options: MethodOptions,
  { run, steps, folder }: { readonly run: RunConfig; readonly steps: number; readonly folder: string },
): Promise<Method> {
  const { method, proxies } = options
  const known = method === 'regmix' ? [] : method === 'dmlaw' ? ofGrid : optionsOfMethod(method)
  for (const option of own) {
    if (options[option] === undefined || known.includes(option)) continue
    throw new WinnowError('USAGE', `${flag(option)} is no option of the method ${method}`, {
      hint: known.length === 0 ? 'Choose one with --method.' : `Its options: ${known.map(flag).join(', ')}.`,
    })
  }
  if (method === 'regmix') return { method }
  if (method === 'dmlaw') return await gridOf(options, run, steps, folder)
  if (proxies !== undefined)
    throw new WinnowError('USAGE', `${method} learns a mixture while one proxy trains: leave --proxies out`)
  const { rate, smoothing, variant, mu, trainer } = options
  const numbers = Object.entries({ rate, smoothing, mu }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value.trim() === '' ? Number.NaN : Number(value)] as const],
  )
  const found = mixingOptions({
    ...{ method, ...(variant && { variant }), ...(trainer === 'python' && { trainer }) },
    ...Object.fromEntries(numbers),
  })
  if (found.success) return found.data
  const { path, message } = found.error.issues[0]!
  throw new WinnowError('USAGE', `--${path.join('.')}: ${message}`)
}

async function gridOf(
  { models, targetParameters, targetSteps, points = pointsDefault }: MethodOptions,
  run: RunConfig,
  steps: number,
  folder: string,
): Promise<Grid> {
  const usage = (what: string, hint?: string) => new WinnowError('USAGE', what, hint === undefined ? {} : { hint })
  if (targetSteps === undefined)
    throw usage('dmlaw needs --target-steps: how long the training is that the mixture is for')
  if (targetSteps < steps) throw usage(`--target-steps ${targetSteps} is less than the ${steps} steps of the proxies`)
  const sizes = await modelSizes(models ?? [run.model], folder)
  const largest = sizes.at(-1)
  if (largest === undefined) throw usage('--models names none')
  const parameters = targetParameters ?? largest.parameters
  if (parameters < largest.parameters)
    throw usage(`--target-parameters ${parameters} is less than the ${largest.parameters} of the largest model`)
  if (sizes.length === 1 && parameters !== largest.parameters)
    throw usage('one size says nothing of others', 'Name more (--models), or leave --target-parameters out.')
  if (!parseGridOptions({ method: 'dmlaw', points }).success)
    throw usage(`--points must be at least ${fewestPoints}: fewer fit any law`)
  const { warmupSteps } = run.trainer
  const measured = curveSteps(steps, warmupSteps, points)
  if (measured.length < points) {
    throw usage(
      `${points} losses cannot be measured between a third of ${steps} steps, or the ${warmupSteps} steps of the warm-up, and the end`,
      "Give the proxies more steps (--steps), fewer --points, or the run's trainer a shorter warm-up.",
    )
  }
  return { method: 'dmlaw', points, models: sizes, target: { parameters, steps: targetSteps } }
}
