import { Command } from 'commander'
import { createCorpusTopics } from '../../connections/connections.ts'
import { startLabeler, startLabelSink } from '../../host/corpus.ts'
import { startDecontamination } from '../../host/decontamination.ts'
import { startDuplicates } from '../../host/duplicates.ts'
import { Encoders } from '../../labeler/labeler.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { runUntilSignal } from '../../runtime/lifecycle.ts'
import { closeAll, type Service, startTogether } from '../../runtime/service.ts'
import { type CliContext, type Connection, clusterCommand, example, type GlobalOptions } from '../context.ts'
import { summaries } from '../summaries.ts'
import { addActor, freezeActor, removeActor } from './run-actors.ts'
import { create } from './run-create.ts'
import { archive, end, pause, remove, resume } from './run-life.ts'
import { list } from './run-list.ts'
import { runLost } from './run-lost.ts'
import { promote } from './run-promote.ts'
import { relabelActor } from './run-relabel.ts'
import { influence, running, start, stations, trainer } from './run-services.ts'
import { shadow } from './run-shadow.ts'
import { show } from './run-show.ts'

/** Runs a service in the foreground until a signal: the first drains, the second stops at once. */
async function serve(
  context: CliContext,
  options: GlobalOptions,
  start: (connection: Connection, fail: (error: unknown) => void) => Promise<Service[]>,
): Promise<void> {
  const code = await runUntilSignal(async (started, signal, fail) => {
    const connection = started.use(await context.connect(options, { metrics: true }))
    const services = await start(connection, fail)
    started.defer(() => closeAll(services))
    connection.runtime.metrics?.readiness.serveUntil(signal)
    context.stderr.write(`${running(services)}\n`)
  })
  context.exitCode(code)
}

export function run(context: CliContext): Command {
  const command = new Command('run').description(summaries.run)
  command.addCommand(
    clusterCommand('labeler', 'labels documents for one actor, or for several in one process')
      .requiredOption('--actor <names...>', 'actors of the configuration; those that share a model run it once')
      .addHelpText('after', example('winnow run labeler --actor topic'))
      .action((options: GlobalOptions & { actor: string[] }) =>
        serve(context, options, async ({ runtime, config }, fail) => {
          const actors = [...new Set(options.actor)].map((wanted) => {
            const actor = config.actors.find(({ name }) => name === wanted)
            if (actor !== undefined) return actor
            const hint = `Actors: ${config.actors.map(({ name }) => name).join(', ')}.`
            throw new WinnowError('CONFIGURATION', `the configuration has no actor ${wanted}`, { hint })
          })
          const encoders = new Encoders()
          return await startTogether(async (started) => {
            for (const actor of actors) started.push(await startLabeler(runtime, config, actor, fail, encoders))
          })
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
    clusterCommand('decontamination', 'compares documents with the evaluation sets, and excludes those with an item')
      .addHelpText('after', example('winnow run decontamination'))
      .action((options: GlobalOptions) =>
        serve(context, options, async ({ runtime, config }, fail) => {
          await createCorpusTopics(runtime.kafka, config)
          return [await startDecontamination(runtime, fail)]
        }),
      ),
  )
  command.addCommand(
    clusterCommand('duplicates', 'sketches documents for the runs that limit near duplicates')
      .addHelpText('after', example('winnow run duplicates'))
      .action((options: GlobalOptions) =>
        serve(context, options, async ({ runtime, config }, fail) => {
          await createCorpusTopics(runtime.kafka, config)
          return [await startDuplicates(runtime, fail)]
        }),
      ),
  )
  const actors = [addActor, removeActor, freezeActor, relabelActor]
  const all = [
    create,
    shadow,
    promote,
    list,
    show,
    start,
    stations,
    influence,
    trainer,
    ...actors,
    runLost,
    pause,
    resume,
    end,
    archive,
    remove,
  ]
  for (const make of all) command.addCommand(make(context))
  return command
}
