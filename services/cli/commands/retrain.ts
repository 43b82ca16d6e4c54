import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { DocumentId } from '../../../schemas/index.ts'
import { excludedBy } from '../../corpus/exclusions.ts'
import { modelResources, openModel } from '../../model/model.ts'
import { erasureList } from '../../runs/exclusions/erase.ts'
import { runNamed } from '../../runs/registry.ts'
import { type RetrainReceipt, retrain } from '../../runs/retraining/retrain.ts'
import { systemClock } from '../../runtime/clock.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { interruptible } from '../../runtime/lifecycle.ts'
import { Counter } from '../../terminal/progress.ts'
import { type CliContext, type Connection, clusterCommand, example, type GlobalOptions, print } from '../context.ts'
import { readIds } from '../read-ids.ts'
import { summaries } from '../summaries.ts'

interface Options extends GlobalOptions {
  readonly without?: string
  readonly request?: string
  readonly checkpoint?: string
  readonly out: string
  readonly json?: boolean
}

export const retrainCommand = (context: CliContext): Command =>
  clusterCommand('retrain', summaries.retrain)
    .argument('<run>', 'a run that the reference trainer trained')
    .option('--without <file>', 'file with an id a line; - for standard input')
    .option('--request <name>', 'the documents of this request for erasure (winnow erase)')
    .option('--checkpoint <which>', 'until its step: a step, path or the beginning of a digest (default: the last one)')
    .requiredOption('--out <folder>', 'receives checkpoints and retrain.json; the same again goes on after a stop')
    .option('--json', 'the receipt as JSON')
    .addHelpText('after', example('winnow retrain multi-actor-7 --without ids.txt --out retrained'))
    .action(async (name: string, options: Options) => {
      if ((options.without === undefined) === (options.request === undefined))
        throw new WinnowError('USAGE', 'give one of --without and --request')
      const given = options.without === undefined ? undefined : await readIds(context, options.without)
      using interrupted = interruptible()
      await using connection = await context.connect(options)
      const { runtime, config } = connection
      const without = new Set(given ?? (await erasedBy(connection, options.request!)))
      const run = await runNamed(runtime, name)
      await using model = await openModel({ graphs: run.model, ...modelResources(config.influence) })
      const progress = new Counter(context.stderr, systemClock, { doing: `training ${name} again`, unit: 'steps' })
      const receipt = await retrain(
        runtime,
        run,
        model,
        {
          ...{
            without,
            checkpoint: options.checkpoint,
            folder: resolve(context.folder, options.out),
            now: systemClock,
          },
          onStep: (step, steps) => progress.at(step, steps),
        },
        interrupted.signal,
      ).finally(() => progress.clear())
      await print(context.stdout, options.json ? `${json(receipt)}\n` : inWords(receipt))
    })

async function erasedBy({ runtime }: Connection, request: string): Promise<DocumentId[]> {
  const documents = await excludedBy(runtime.clickHouse.sql, erasureList(request))
  if (documents.length > 0) return documents.map(({ value: { docId } }) => docId)
  throw new WinnowError('CONFIGURATION', `no document is out by request ${request}`, {
    hint: `Record some first: winnow erase ${request} --ids FILE`,
  })
}

function inWords({ run, step, documents, readings, before, startedFrom, after }: RetrainReceipt): string {
  const read = new Set(readings.map(({ docId }) => docId)).size
  const from = startedFrom === null ? 'the initial weights' : `the checkpoint of step ${startedFrom.step}`
  return [
    `${run} until step ${step} without ${documents.length} documents, of which it had read ${read}, from ${from}`,
    `before ${before.digest} ${before.path}`,
    `after  ${after.digest} ${after.path}`,
    '',
  ].join('\n')
}
