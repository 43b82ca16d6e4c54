import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { modelResources, openModel } from '../../model/model.ts'
import { runNamed } from '../../runs/registry.ts'
import { scatterSvg } from '../../runs/validation/scatter.ts'
import { type Validation, validate } from '../../runs/validation/validate.ts'
import { json } from '../../runtime/json.ts'
import { makeFolder } from '../../runtime/make-folder.ts'
import { formatFixed } from '../../terminal/table.ts'
import {
  type CliContext,
  clusterCommand,
  example,
  type GlobalOptions,
  naturalNumber,
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
      .option('--json', 'as JSON, with the rewards of each document')
      .addHelpText('after', example('winnow influence validate --run multi-actor-7 --limit 60'))
      .action(async (options: Options) => {
        await using connection = await context.connect(options)
        const { config, runtime } = connection
        const documents = options.limit
        const run = await runNamed(runtime, options.run)
        await using model = await openModel({ graphs: run.model, ...modelResources(config.influence) })
        const validation = await validate(runtime, run, model, {
          documents,
          workers: Math.max(1, options.workers ?? config.influence.workers),
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
