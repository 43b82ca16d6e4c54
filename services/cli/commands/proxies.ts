import { availableParallelism } from 'node:os'
import { Command } from 'commander'
import { CampaignProgress } from '../../../topologies/campaign/progress.ts'
import { recordedConfig } from '../../../topologies/run-config.ts'
import { planCampaign } from '../../campaigns/plan.ts'
import { campaignNamed, FollowedCampaign, readCampaigns } from '../../campaigns/recorded.ts'
import { workTogether } from '../../campaigns/work-together.ts'
import { modelResources, openModel } from '../../model/model.ts'
import { labelerVersions } from '../../runs/label-progress.ts'
import { completeRun, readRunFile, withoutCampaigns } from '../../runs/run-file.ts'
import { systemClock } from '../../runtime/clock.ts'
import { exitCodes, WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { interruptible } from '../../runtime/lifecycle.ts'
import { Counter } from '../../terminal/progress.ts'
import { table } from '../../terminal/table.ts'
import {
  type CliContext,
  clusterCommand,
  example,
  type GlobalOptions,
  naturalNumber,
  print,
  widthOf,
} from '../context.ts'
import { summaries } from '../summaries.ts'
import { applying } from './proxies-apply.ts'
import { fitting } from './proxies-fit.ts'

export const proxies = (context: CliContext): Command =>
  new Command('proxies')
    .description(summaries.proxies)
    .addHelpText(
      'after',
      example(
        'winnow proxies plan run.yaml --actor domain --proxies 64 --steps 200',
        'winnow proxies run first-domain',
        'winnow proxies fit first-domain',
        'winnow proxies apply first-domain run.yaml',
      ),
    )
    .addCommand(plan(context))
    .addCommand(run(context))
    .addCommand(fitting(context))
    .addCommand(applying(context))
    .addCommand(list(context))

interface PlanOptions extends GlobalOptions {
  readonly actor: string
  readonly proxies: number
  readonly steps?: number
  readonly name?: string
  readonly withoutEmpty?: boolean
  readonly json?: boolean
}

const plan = (context: CliContext): Command =>
  clusterCommand('plan', "records a campaign: mixtures of an actor's subcategories, each to be trained for some steps")
    .argument('<file>', 'a run to take model, trainer, references, labelers and seed from (docs/run-yaml.md)')
    .requiredOption('--actor <name>', 'whose subcategories are mixed')
    .option('--proxies <count>', 'how many mixtures', naturalNumber, 64)
    .option('--steps <count>', "optimizer steps of each (default: the run's updateSteps)", naturalNumber)
    .option('--name <campaign>', "the campaign's name (default: RUN-ACTOR)")
    .option('--without-empty', 'plan although subcategories have no tokens: mixtures have nothing of them')
    .option('--json', 'the plan as JSON')
    .addHelpText('after', example('winnow proxies plan run.yaml --actor topic --proxies 64 --steps 200'))
    .action(async (path: string, { actor, ...options }: PlanOptions) => {
      const file = readRunFile(path, context.folder)
      await using connection = await context.connect(options)
      const { config, runtime } = connection
      const base = completeRun({ ...file, given: withoutCampaigns(file.given) }, await labelerVersions(config))
      if (options.proxies < 1) throw new WinnowError('USAGE', '--proxies must be at least 1')
      const steps = options.steps ?? base.updateSteps
      if (steps < 1) throw new WinnowError('USAGE', '--steps must be at least 1')
      const campaign = options.name ?? `${base.name}-${actor}`
      const planned = await planCampaign(
        runtime,
        base,
        { campaign, actor, steps, proxies: options.proxies, withoutEmpty: options.withoutEmpty === true },
        systemClock,
      )
      const { mixtures } = planned
      await print(context.stdout, options.json ? `${json(planned)}\n` : `${campaign}\n`)
      const fewer = mixtures.length < options.proxies ? ' (there are no more distinct ones)' : ''
      context.stderr.write(
        `recorded: ${mixtures.length} mixtures${fewer}, ${steps} steps each; next, in as many processes as you like: npx winnow proxies run ${campaign}\n`,
      )
    })

const run = (context: CliContext): Command =>
  clusterCommand('run', 'trains the proxies of a campaign, sharing them with all who do the same, until all are done')
    .argument('<campaign>', 'the campaign')
    .option('--workers <count>', 'proxies trained at a time here (default: one for each core)', naturalNumber)
    .option('--json', 'how many are trained, as JSON')
    .addHelpText('after', example('winnow proxies run first-topic', 'winnow proxies run first-topic --workers 1'))
    .action(async (name: string, options: GlobalOptions & { workers?: number; json?: boolean }) => {
      const workers = options.workers ?? availableParallelism()
      if (workers < 1) throw new WinnowError('USAGE', '--workers must be at least 1')
      await using connection = await context.connect(options)
      const { config, runtime } = connection
      const { plan: campaign } = await campaignNamed(runtime, name)
      const shared = recordedConfig({ run: name, config: campaign.config })
      await using model = await openModel({ graphs: shared.model, ...modelResources(config.influence) })
      using interrupted = interruptible(process, () =>
        context.stderr.write('\nstopping; the same command goes on later\n'),
      )
      const counter = new Counter(context.stderr, systemClock, { doing: 'training', unit: 'proxies' })
      try {
        const onDone = (done: number, proxies: number) => counter.at(done, proxies)
        const trained = await workTogether(runtime, campaign, model, { workers, onDone }, interrupted.signal)
        counter.end()
        if (options.json) await print(context.stdout, `${json({ campaign: name, trained })}\n`)
        context.stderr.write(`${trained} proxies are trained; next: npx winnow proxies fit ${name}\n`)
      } catch (error) {
        if (!interrupted.signal.aborted) throw error
        counter.end()
        context.exitCode(exitCodes.interrupted)
      }
    })

const list = (context: CliContext): Command =>
  clusterCommand('list', 'the campaigns, how far they are and what they lead to')
    .option('--json', 'as JSON')
    .addHelpText('after', example('winnow proxies list --json'))
    .action(async (options: GlobalOptions & { json?: boolean }) => {
      await using connection = await context.connect(options)
      const { runtime } = connection
      const rows = []
      for (const [campaign, { plan: planned, fit: fitted }] of await readCampaigns(runtime)) {
        const progress = new CampaignProgress(planned.mixtures.length, 0)
        await new FollowedCampaign(runtime, campaign, progress).look(0)
        const { actor, mixtures } = planned
        rows.push({ campaign, actor, proxies: mixtures.length, trained: progress.results.size, fit: fitted ?? null })
      }
      if (options.json) return await print(context.stdout, `${json(rows)}\n`)
      const number = true
      const columns = [
        { title: 'campaign' },
        { title: 'actor' },
        { title: 'proxies', number },
        { title: 'trained', number },
        { title: 'fit' },
      ]
      const cells = rows.map((row) => [
        row.campaign,
        row.actor,
        `${row.proxies}`,
        `${row.trained}`,
        row.fit === null ? '' : `${row.fit.kind}, predicts ${row.fit.loss.toFixed(4)}`,
      ])
      await print(context.stdout, `${table(columns, cells, { width: widthOf(context.stdout) })}\n`)
    })
