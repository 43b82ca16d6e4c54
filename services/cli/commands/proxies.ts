import { availableParallelism } from 'node:os'
import { Command } from 'commander'
import { proxiesOf } from '../../../topologies/campaign/grid.ts'
import { learns, learnsByPython, stagesOf } from '../../../topologies/campaign/learned.ts'
import { CampaignProgress } from '../../../topologies/campaign/progress.ts'
import { recordedConfig } from '../../../topologies/run-config.ts'
import { openModels } from '../../campaigns/models.ts'
import { campaignNamed, FollowedCampaign, readCampaigns } from '../../campaigns/recorded.ts'
import { workTogether } from '../../campaigns/work-together.ts'
import { modelResources } from '../../model/model.ts'
import { systemClock } from '../../runtime/clock.ts'
import { exitCodes } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { interruptible } from '../../runtime/lifecycle.ts'
import { Counter } from '../../terminal/progress.ts'
import { table } from '../../terminal/table.ts'
import { findPython } from '../../trainer/find-python.ts'
import {
  type CliContext,
  clusterCommand,
  example,
  type GlobalOptions,
  positiveNumber,
  print,
  widthOf,
} from '../context.ts'
import { summaries } from '../summaries.ts'
import { applying } from './proxies-apply.ts'
import { fitting } from './proxies-fit.ts'
import { planning } from './proxies-plan.ts'

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
    .addCommand(planning(context))
    .addCommand(run(context))
    .addCommand(fitting(context))
    .addCommand(applying(context))
    .addCommand(list(context))

const run = (context: CliContext): Command =>
  clusterCommand('run', 'trains the proxies of a campaign, sharing them with all who do the same, until all are done')
    .argument('<campaign>', 'the campaign')
    .option('--workers <count>', 'proxies trained at a time here (default: one for each core)', positiveNumber)
    .option('--json', 'how many are trained, as JSON')
    .addHelpText('after', example('winnow proxies run first-topic', 'winnow proxies run first-topic --workers 1'))
    .action(async (name: string, options: GlobalOptions & { workers?: number; json?: boolean }) => {
      const workers = options.workers ?? availableParallelism()
      await using connection = await context.connect(options)
      const { config, runtime } = connection
      const { plan: campaign } = await campaignNamed(runtime, name)
      const shared = recordedConfig({ run: name, config: campaign.config })
      const python = learnsByPython(campaign) ? findPython(context.env) : undefined
      await using models = await openModels(campaign, modelResources(config.influence))
      using interrupted = interruptible(process, () =>
        context.stderr.write('\nstopping; the same command goes on later\n'),
      )
      // A learned mixture is one proxy: its steps are counted, those of DoReMi's reference model too.
      const stages = learns(campaign) ? stagesOf(campaign) : undefined
      const counter = new Counter(context.stderr, systemClock, {
        doing: 'training',
        unit: stages ? 'steps' : 'proxies',
      })
      const unit = stages === undefined ? 1 : stages.length * shared.steps
      try {
        const onDone = (done: number, proxies: number) => counter.at(done * unit, proxies * unit)
        const trained = await workTogether(runtime, campaign, models, { workers, onDone, python }, interrupted.signal)
        counter.end()
        if (options.json) await print(context.stdout, `${json({ campaign: name, trained })}\n`)
        const what =
          stages === undefined ? `${trained} proxies are trained` : `the ${stages.join(' and the ')} are trained`
        context.stderr.write(`${what}; next: npx winnow proxies fit ${name}\n`)
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
        const progress = new CampaignProgress(proxiesOf(planned), 0)
        await new FollowedCampaign(runtime, campaign, progress).look(0)
        const { actor, method } = planned
        rows.push({
          campaign,
          actor,
          method,
          proxies: proxiesOf(planned),
          trained: progress.results.size,
          fit: fitted ?? null,
        })
      }
      if (options.json) return await print(context.stdout, `${json(rows)}\n`)
      const number = true
      const columns = [
        { title: 'campaign' },
        { title: 'actor' },
        { title: 'method' },
        { title: 'proxies', number },
        { title: 'trained', number },
        { title: 'fit' },
      ]
      const cells = rows.map((row) => [
        row.campaign,
        row.actor,
        row.method,
        `${row.proxies}`,
        `${row.trained}`,
        row.fit === null ? '' : `${row.fit.kind}, ${learns(row) ? 'reached' : 'predicts'} ${row.fit.loss.toFixed(4)}`,
      ])
      await print(context.stdout, `${table(columns, cells, { width: widthOf(context.stdout) })}\n`)
    })
