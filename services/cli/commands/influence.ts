import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Runtime } from '../../connections/connections.ts'
import { type Model, modelResources, openModel } from '../../model/model.ts'
import { runNamed } from '../../runs/registry.ts'
import { validateByRetraining } from '../../runs/validation/retrain.ts'
import { scatterSvg } from '../../runs/validation/scatter.ts'
import { type Validation, validate } from '../../runs/validation/validate.ts'
import { systemClock } from '../../runtime/clock.ts'
import { json } from '../../runtime/json.ts'
import { interruptible } from '../../runtime/lifecycle.ts'
import { makeFolder } from '../../runtime/make-folder.ts'
import { Counter } from '../../terminal/progress.ts'
import { formatFixed } from '../../terminal/table.ts'
import {
  type CliContext,
  clusterCommand,
  example,
  type GlobalOptions,
  naturalNumber,
  positiveNumber,
  print,
  withLimit,
} from '../context.ts'
import { summaries } from '../summaries.ts'
import { stability } from './influence-stability.ts'

interface Options extends GlobalOptions {
  readonly run: string
  readonly limit: number
  readonly workers?: number
  readonly out: string
  readonly retrain?: boolean
  readonly leave: number
  readonly json?: boolean
}

export function influence(context: CliContext): Command {
  const command = new Command('influence').description(summaries.influence)
  command.addCommand(
    withLimit(
      clusterCommand('validate', "compares a run's gradient rewards with real small steps at its last checkpoint"),
      'documents',
      'documents drawn from the corpus; each takes a pass over the reference',
      atLeast3,
      100,
    )
      .requiredOption('--run <name>', 'the run')
      .option('--workers <n>', 'worker threads (default: as configured)', naturalNumber)
      .option('--out <folder>', 'where the plot (SVG) and the rewards (CSV) are written', '.')
      .option('--retrain', 'trains on with documents and without groups of them instead, and compares what that does')
      .option('--leave <k>', 'with --retrain: documents in a group that is left out', positiveNumber, 5)
      .option('--json', 'as JSON, with the rewards of each document or group')
      .addHelpText(
        'after',
        example(
          'winnow influence validate --run multi-actor-7 --limit 60',
          'winnow influence validate --run multi-actor-7 --retrain --limit 100 --leave 5',
        ),
      )
      .action(async (options: Options) => {
        await using connection = await context.connect(options)
        const { config, runtime } = connection
        const documents = options.limit
        const run = await runNamed(runtime, options.run)
        await using model = await openModel({ graphs: run.model, ...modelResources(config.influence) })
        const workers = Math.max(1, options.workers ?? config.influence.workers)
        if (options.retrain) {
          const text = await retrained(context, options, { runtime, run, model, workers })
          return await print(context.stdout, text)
        }
        const validation = await validate(runtime, run, model, {
          documents,
          workers,
          onProgress: (done) => context.stderr.write(`${done} of ${documents} documents probed\n`),
        })
        const files = writeReport(resolve(context.folder, options.out), validation)
        const text = options.json ? json({ ...validation, files }) : inWords(validation, files)
        await print(context.stdout, `${text}\n`)
      }),
  )
  command.addCommand(stability(context))
  return command
}

interface Ports {
  readonly runtime: Runtime
  readonly run: RunConfig
  readonly model: Model
  readonly workers: number
}

async function retrained(
  { folder, stderr }: CliContext,
  { limit, leave, out, json: asJson }: Options,
  { runtime, run, model, workers }: Ports,
): Promise<string> {
  using interrupted = interruptible()
  const { signal } = interrupted
  makeFolder(resolve(folder, out))
  const kept = join(resolve(folder, out), `influence-${run.name}-retrained.jsonl`)
  const progress = new Counter(stderr, systemClock, { doing: 'training', unit: 'trainings' })
  const onProgress = (done: number, total: number) => progress.at(done, total)
  const found = await validateByRetraining(runtime, run, model, {
    ...{ documents: limit, leave, workers, kept, onProgress, signal },
  }).finally(() => progress.clear())
  if (asJson) return `${json(found)}\n`
  const { documents, steps, groups, learningRate, spearman, lossBefore, lossAfter } = found
  const agreement =
    spearman === null
      ? 'Spearman: none, since groups do not differ'
      : `Spearman ${formatFixed(spearman.mean, 3)} (${formatFixed(spearman.low, 3)} to ${formatFixed(spearman.high, 3)}) of what rewards say of a group and what leaving it out does`
  return `${run.name} at step ${found.step}: ${documents} documents, ${groups.length} groups of ${leave} left out in turn, ${steps} steps each at learning rate ${learningRate}
${agreement}
reference loss ${formatFixed(lossBefore, 4)}, ${formatFixed(lossAfter, 4)} after training on all of them
finished trainings are kept in ${kept}
`
}

function atLeast3(text: string): number {
  const value = naturalNumber(text)
  if (value < 3) throw new InvalidArgumentError('must be at least 3: ranks of fewer mean nothing')
  return value
}

function writeReport(folder: string, { run, step, gradient, probe, spearman, documents }: Validation): string[] {
  makeFolder(folder)
  const name = join(folder, `influence-${run}-step-${step}`)
  const svg = scatterSvg({
    title: `${run}, step ${step}: Spearman ${formatFixed(spearman, 3)} over ${documents.length} documents`,
    x: `reward by ${gradient}`,
    y: `fall of the reference loss by ${probe}`,
    points: documents.map(({ docId, ...rewards }) => ({
      x: rewards.gradient,
      y: rewards.probe,
      name: `document ${docId}`,
    })),
  })
  const rows = documents.map(({ docId, ...rewards }) => `${docId},${rewards.gradient},${rewards.probe}\n`)
  writeFileSync(`${name}.svg`, svg)
  writeFileSync(`${name}.csv`, `document,gradient,probe\n${rows.join('')}`)
  return [`${name}.svg`, `${name}.csv`]
}

function inWords(
  { run, step, gradient, probe, spearman, taskSpearman, documents }: Validation,
  files: string[],
): string {
  const apart = taskSpearman.map((value, t) => `task ${t + 1} ${formatFixed(value, 3)}`).join(', ')
  return [
    `${run} at step ${step}: ${documents.length} documents by ${gradient} and by ${probe}`,
    `Spearman ${formatFixed(spearman, 3)}${taskSpearman.length > 1 ? ` (${apart})` : ''}`,
    ...files,
  ].join('\n')
}
