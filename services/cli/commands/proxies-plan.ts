import { type Command, Option } from 'commander'
import { dogeVariants } from '../../../topologies/mixing/doge.ts'
import {
  learningMethods,
  type MixingOptions,
  mixingOptions,
  optionsOfMethod,
} from '../../../topologies/mixing/options.ts'
import { planCampaign } from '../../campaigns/plan.ts'
import { labelerVersions } from '../../runs/label-progress.ts'
import { completeRun, readRunFile } from '../../runs/run-file.ts'
import { withoutCampaigns } from '../../runs/run-file-campaigns.ts'
import { systemClock } from '../../runtime/clock.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, naturalNumber, print } from '../context.ts'

const methods = ['regmix', ...learningMethods] as const
const proxiesDefault = 64

interface Options extends GlobalOptions {
  readonly actor: string
  readonly method: (typeof methods)[number]
  readonly proxies?: number
  readonly steps?: number
  readonly name?: string
  readonly withoutEmpty?: boolean
  readonly rate?: string
  readonly smoothing?: string
  readonly variant?: string
  readonly mu?: string
  readonly json?: boolean
}

export const planning = (context: CliContext): Command =>
  clusterCommand(
    'plan',
    "records a campaign: mixtures of an actor's subcategories, or one to be learned, and the steps",
  )
    .argument('<file>', 'a run to take model, trainer, references, labelers and seed from (docs/run-yaml.md)')
    .requiredOption('--actor <name>', 'whose subcategories are mixed')
    .addOption(
      new Option('--method <method>', 'regmix: many mixtures, then a fit; doremi, doge: one that is learned')
        .choices(methods)
        .default('regmix'),
    )
    .option('--proxies <count>', `of regmix: how many mixtures (default: ${proxiesDefault})`, naturalNumber)
    .option('--steps <count>', "optimizer steps of each (default: the run's updateSteps)", naturalNumber)
    .option('--name <campaign>', "the campaign's name (default: RUN-ACTOR)")
    .option('--without-empty', 'plan although subcategories have no tokens: mixtures have nothing of them')
    .option('--rate <number>', 'of doremi: step size of the weights (default: 1)')
    .option('--smoothing <share>', 'of doremi and doge: spread evenly after each update (default: 1e-4, and 0)')
    .addOption(
      new Option(
        '--variant <variant>',
        "of doge: for all subcategories (universal, the default), or for the run's reference for rewards",
      ).choices(dogeVariants),
    )
    .option('--mu <number>', 'of doge: how far the weights resist; smaller moves them faster (default: 0.05)')
    .option('--json', 'the plan as JSON')
    .addHelpText(
      'after',
      example(
        'winnow proxies plan run.yaml --actor topic --proxies 64 --steps 200',
        'winnow proxies plan run.yaml --actor domain --method doremi --steps 500 --name first-doremi',
      ),
    )
    .action(async (path: string, options: Options) => {
      const { actor, method } = options
      const learning = learningOf(options)
      const proxies = options.proxies ?? proxiesDefault
      if (proxies < 1) throw new WinnowError('USAGE', '--proxies must be at least 1')
      const file = readRunFile(path, context.folder)
      await using connection = await context.connect(options)
      const { config, runtime } = connection
      const base = completeRun({ ...file, given: withoutCampaigns(file.given) }, await labelerVersions(config))
      const steps = options.steps ?? base.updateSteps
      if (steps < 1) throw new WinnowError('USAGE', '--steps must be at least 1')
      const campaign = options.name ?? `${base.name}-${actor}`
      const planned = await planCampaign(
        runtime,
        base,
        { campaign, actor, steps, proxies, withoutEmpty: options.withoutEmpty === true, learning },
        systemClock,
      )
      const { mixtures } = planned
      await print(context.stdout, options.json ? `${json(planned)}\n` : `${campaign}\n`)
      const fewer = mixtures.length < proxies ? ' (there are no more distinct ones)' : ''
      const next = `npx winnow proxies run ${campaign}`
      context.stderr.write(
        learning === undefined
          ? `recorded: ${mixtures.length} mixtures${fewer}, ${steps} steps each; next, in as many processes as you like: ${next}\n`
          : `recorded: a mixture to be learned by ${method}, ${steps} steps; next: ${next}\n`,
      )
    })

/** @throws WinnowError USAGE for options of another method, or values that cannot be */
function learningOf({ method, proxies, ...given }: Options): MixingOptions | undefined {
  const known = method === 'regmix' ? [] : optionsOfMethod(method)
  for (const option of ['rate', 'smoothing', 'variant', 'mu'] as const) {
    if (given[option] === undefined || known.includes(option)) continue
    throw new WinnowError('USAGE', `--${option} is no option of the method ${method}`, {
      hint: known.length === 0 ? 'Choose one with --method.' : `Its options: --${known.join(', --')}.`,
    })
  }
  if (method === 'regmix') return undefined
  if (proxies !== undefined)
    throw new WinnowError('USAGE', `${method} learns a mixture while one proxy trains: leave --proxies out`)
  const { rate, smoothing, variant, mu } = given
  const numbers = Object.entries({ rate, smoothing, mu }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value.trim() === '' ? Number.NaN : Number(value)] as const],
  )
  const found = mixingOptions({ method, ...(variant && { variant }), ...Object.fromEntries(numbers) })
  if (found.success) return found.data
  const { path, message } = found.error.issues[0]!
  throw new WinnowError('USAGE', `--${path.join('.')}: ${message}`)
}
