import { Command } from 'commander'
import { startLabeler, startLabelSink } from '../../host/corpus.ts'
import { startInfluence, startRunStations, startTrainer } from '../../host/run.ts'
import { modelResources, openModel } from '../../model/model.ts'
import { listRuns, runNamed } from '../../runs/registry.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { runUntilSignal } from '../../runtime/lifecycle.ts'
import { closeAll, named, type Service, startTogether } from '../../runtime/service.ts'
import { type CliContext, type Connection, clusterCommand, example, type GlobalOptions, print } from '../context.ts'
import { summaries } from '../summaries.ts'
import { create } from './run-create.ts'

/** Runs a service in the foreground until a signal: the first drains, the second stops at once. */
async function serve(
  context: CliContext,
  options: GlobalOptions,
  start: (connection: Connection, fail: (error: unknown) => void) => Promise<Service[]>,
): Promise<void> {
  const code = await runUntilSignal(async (started, _signal, fail) => {
    const connection = started.use(await context.connect(options, { metrics: true }))
    const services = await start(connection, fail)
    started.defer(() => closeAll(services))
    context.stderr.write(`running: ${services.map(named).join(', ')}; Ctrl-C drains and stops\n`)
  })
  context.exitCode(code)
}

export function run(context: CliContext): Command {
  const command = new Command('run').description(summaries.run)
  command.addCommand(
    clusterCommand('labeler', 'labels documents for one actor')
      .requiredOption('--actor <name>', 'an actor of the configuration')
      .addHelpText('after', example('winnow run labeler --actor topic'))
      .action((options: GlobalOptions & { actor: string }) =>
        serve(context, options, async ({ runtime, config }, fail) => {
          const actor = config.actors.find(({ name }) => name === options.actor)
          if (actor === undefined) {
            const hint = `Actors: ${config.actors.map(({ name }) => name).join(', ')}.`
            throw new WinnowError('CONFIGURATION', `the configuration has no actor ${options.actor}`, { hint })
          }
          return [await startLabeler(runtime, config, actor, fail)]
        }),
      ),
  )
  command.addCommand(
    clusterCommand('label-sink', 'writes documents and labels into ClickHouse')
      .addHelpText('after', example('winnow run label-sink'))
      .action((options: GlobalOptions) =>
        serve(context, options, async ({ runtime, config }, fail) => [await startLabelSink(runtime, config, fail)]),
      ),
  )
  command.addCommand(
    clusterCommand('stations', 'the influence worker, actors and console of a run')
      .requiredOption('--run <name>', 'the run')
      .addHelpText('after', example('winnow run stations --run pretraining-3'))
      .action((options: GlobalOptions & { run: string }) =>
        serve(context, options, (connection, fail) => withModel(connection, options.run, fail, startRunStations)),
      ),
  )
  command.addCommand(
    clusterCommand('influence', 'another influence worker of a run')
      .requiredOption('--run <name>', 'the run')
      .addHelpText('after', example('winnow run influence --run pretraining-3'))
      .action((options: GlobalOptions & { run: string }) =>
        serve(context, options, (connection, fail) => withModel(connection, options.run, fail, startInfluence)),
      ),
  )
  command.addCommand(
    clusterCommand('trainer', 'the reference trainer of a run')
      .requiredOption('--run <name>', 'the run')
      .addHelpText('after', example('winnow run trainer --run pretraining-3'))
      .action((options: GlobalOptions & { run: string }) =>
        serve(context, options, async ({ runtime }, fail) => {
          const config = await runNamed(runtime, options.run)
          return await startTogether(async (started) => {
            const model = await openModel({ graphs: config.model })
            started.push({ name: 'model', close: () => model.close() })
            started.push(await startTrainer(runtime, config, model, { onFailure: fail }))
          })
        }),
      ),
  )
  command.addCommand(create(context))
  command.addCommand(
    clusterCommand('list', 'the names of all recorded runs')
      .option('--json', 'with their configurations, one JSON line each')
      .addHelpText('after', example('winnow run list', 'winnow run list --json | jq .config.steps'))
      .action(async (options: GlobalOptions & { json?: boolean }) => {
        await using connection = await context.connect(options)
        const { runtime } = connection
        for (const { run, config, replayOf } of (await listRuns(runtime)).values()) {
          const line = options.json ? json({ run, replayOf, config: JSON.parse(config) }) : run
          await print(context.stdout, `${line}\n`)
        }
      }),
  )
  return command
}

/** Starts the computation of rewards, with the configured resources. */
async function withModel(
  { runtime, config: { influence } }: Connection,
  name: string,
  fail: (error: unknown) => void,
  start: typeof startRunStations,
): Promise<Service[]> {
  const run = await runNamed(runtime, name)
  return await startTogether(async (started) => {
    const model = await openModel({ graphs: run.model, ...modelResources(influence) })
    started.push({ name: 'model', close: () => model.close() })
    started.push(...(await start(runtime, run, model, { influenceWorkers: influence.workers, onFailure: fail })))
  })
}
