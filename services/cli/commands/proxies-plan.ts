import type { Command } from 'commander'
import { learns } from '../../../topologies/campaign/learned.ts'
import { planCampaign } from '../../campaigns/plan.ts'
import { labelerVersions } from '../../runs/label-progress.ts'
import { completeRun, readRunFile } from '../../runs/run-file.ts'
import { withoutCampaigns } from '../../runs/run-file-campaigns.ts'
import { systemClock } from '../../runtime/clock.ts'
import { json } from '../../runtime/json.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, positiveNumber, print } from '../context.ts'
import { type MethodOptions, methodOf, mixturesOf, withMethods } from './proxies-method.ts'

interface Options extends GlobalOptions, MethodOptions {
  readonly actor: string
  readonly steps?: number
  readonly name?: string
  readonly withoutEmpty?: boolean
  readonly json?: boolean
}

export const planning = (context: CliContext): Command =>
  withMethods(
    clusterCommand(
      'plan',
      "records a campaign: mixtures of an actor's subcategories, or one to be learned, and the steps",
    ),
  )
    .argument('<file>', 'a run to take model, trainer, references, labelers and seed from (docs/run-yaml.md)')
    .requiredOption('--actor <name>', 'whose subcategories are mixed')
    .option(
      '--proxies <count>',
      `of regmix and dmlaw: how many mixtures (default: ${mixturesOf.regmix}, and ${mixturesOf.dmlaw})`,
      positiveNumber,
    )
    .option('--steps <count>', "optimizer steps of each (default: the run's updateSteps)", positiveNumber)
    .option('--name <campaign>', "the campaign's name (default: RUN-ACTOR)")
    .option('--without-empty', 'plan although subcategories have no tokens: mixtures have nothing of them')
    .option('--json', 'the plan as JSON')
    .addHelpText(
      'after',
      example(
        'winnow proxies plan run.yaml --actor topic --proxies 64 --steps 200',
        'winnow proxies plan run.yaml --actor domain --method doremi --steps 500 --name first-doremi',
        'winnow proxies plan run.yaml --actor domain --method dmlaw --models shipped:llama-32x2,shipped:llama-48x2,shipped:llama-64x2 --steps 200 --target-parameters 1e9 --target-steps 1e5 --name first-dmlaw',
      ),
    )
    .action(async (path: string, options: Options) => {
      const { actor, method } = options
      const proxies = options.proxies ?? mixturesOf[method === 'dmlaw' ? 'dmlaw' : 'regmix']
      const file = readRunFile(path, context.folder)
      await using connection = await context.connect(options)
      const { config, runtime } = connection
      const base = completeRun({ ...file, given: withoutCampaigns(file.given) }, await labelerVersions(config))
      const steps = options.steps ?? base.updateSteps
      const wanted = await methodOf(options, { run: base, steps, folder: context.folder })
      const campaign = options.name ?? `${base.name}-${actor}`
      const planned = await planCampaign(
        runtime,
        base,
        { campaign, actor, steps, proxies, withoutEmpty: options.withoutEmpty === true, method: wanted },
        systemClock,
      )
      const { mixtures, models } = planned
      await print(context.stdout, options.json ? `${json(planned)}\n` : `${campaign}\n`)
      const fewer = mixtures.length < proxies ? ' (there are no more distinct ones)' : ''
      const sizes = models.length > 1 ? `on each of ${models.length} models, ` : ''
      const next = `npx winnow proxies run ${campaign}`
      context.stderr.write(
        learns(planned)
          ? `recorded: a mixture to be learned by ${method}, ${steps} steps; next: ${next}\n`
          : `recorded: ${mixtures.length} mixtures${fewer}, ${sizes}${steps} steps each; next, in as many processes as you like: ${next}\n`,
      )
    })
