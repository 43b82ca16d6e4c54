import { availableParallelism } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { type CliContext, example, naturalNumber, print, widthOf } from '../../services/cli/context.ts'
import { summaries } from '../../services/cli/summaries.ts'
import { actorsOfFile } from '../../services/config/load.ts'
import { type CorpusSource, experiment as runExperiment } from '../../services/experiments/experiment.ts'
import { type Plan, readPlan } from '../../services/experiments/plan.ts'
import { summaryText } from '../../services/experiments/summary-text.ts'
import { systemClock } from '../../services/runtime/clock.ts'
import { exitCodes } from '../../services/runtime/errors.ts'
import { json } from '../../services/runtime/json.ts'
import { interruptible } from '../../services/runtime/lifecycle.ts'
import { createLog } from '../../services/runtime/log.ts'
import { makeFolder } from '../../services/runtime/make-folder.ts'
import { Counter } from '../../services/terminal/progress.ts'
import { requireCorpusPackages } from '../demo/corpus.ts'
import { corpusInBackground } from '../demo/corpus-in-background.ts'
import { demoActors } from '../demo/demo-actors.ts'
import { lockDataFolder } from '../dev/lock.ts'

interface Options {
  readonly out?: string
  readonly workers?: number
  readonly minutes?: number
  readonly report?: boolean
  readonly baseline?: string
  readonly json?: boolean
}

const planOf = (file: string): string => fileURLToPath(new URL(`../demo/${file}`, import.meta.url))
const shipped = {
  'shipped:demo': planOf('experiment.yaml'),
  'shipped:bound': planOf('bound.yaml'),
  'shipped:price': planOf('price.yaml'),
} as const
const isShippedPlan = (plan: string): plan is keyof typeof shipped => Object.hasOwn(shipped, plan)

export const experiment = (context: CliContext): Command =>
  new Command('experiment')
    .description(summaries.experiment)
    .argument(
      '<plan>',
      'the plan, YAML or JSON (docs/EXPERIMENTS.md); shipped:demo, shipped:bound and shipped:price are some on the texts of the demo',
    )
    .option('--out <folder>', 'folder of results and summary (default: .winnow/experiments/NAME)')
    .option('--workers <n>', 'cells at a time (default: one for each core)', naturalNumber)
    .option('--minutes <n>', 'begin no cell after so many minutes; the same command goes on later', naturalNumber)
    .option('--report', 'only compare what is finished')
    .option('--baseline <strategy>', "compare with this strategy instead of the plan's baseline")
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      example(
        'winnow experiment plan.yaml',
        'winnow experiment shipped:demo --minutes 60',
        'winnow experiment shipped:demo --report --json',
      ),
    )
    .action(async (given: string, options: Options) => {
      const plan = readPlan(isShippedPlan(given) ? shipped[given] : given, context.folder, options.baseline)
      const name = isShippedPlan(given) ? given.split(':')[1]! : basename(plan.file).replace(/\.[^.]+$/, '')
      const out = resolve(context.folder, options.out ?? join('.winnow', 'experiments', name))
      makeFolder(out)
      using interrupt = interruptible()
      const { signal } = interrupt
      using held = new DisposableStack()
      held.defer(lockDataFolder(out))
      const labelling = new Counter(context.stderr, systemClock, { doing: 'labelling', unit: 'labels' })
      const training = new Counter(context.stderr, systemClock, { doing: 'training', unit: 'cells' })
      const endMs = systemClock() + (options.minutes ?? Number.POSITIVE_INFINITY) * 60_000
      const workers = Math.max(1, options.workers ?? availableParallelism())
      try {
        const summary = await runExperiment(
          plan,
          await sourceOf(plan, out, context),
          {
            ...{
              out,
              workers,
              reportOnly: options.report === true,
              log: createLog('winnow', context.env.WINNOW_LOG_LEVEL ?? 'warn'),
            },
            goesOn: () => systemClock() < endMs,
            onLabelled: (done, total) => (done === total ? labelling.clear() : labelling.at(done, total)),
            onDone: (done, cells) => training.at(done, cells),
          },
          signal,
        )
        training.clear()
        await print(
          context.stdout,
          options.json === true ? `${json(summary)}\n` : summaryText(summary, widthOf(context.stdout)),
        )
        if (options.json !== true) context.stderr.write(`as a page with plots: ${join(out, 'summary.html')}\n`)
      } catch (error) {
        if (!signal.aborted) throw error
        training.clear()
        context.stderr.write('interrupted; finished cells are kept, and the same command goes on\n')
        context.exitCode(exitCodes.interrupted)
      }
    })

async function sourceOf(plan: Plan, out: string, { stderr }: CliContext): Promise<CorpusSource> {
  if (plan.corpus !== 'demo') {
    const { actors, ...given } = plan.corpus
    return { ...given, actors: actorsOfFile(plan.file, actors) }
  }
  requireCorpusPackages()
  const built = corpusInBackground(join(out, 'texts'))
  if (built.isNew) stderr.write('building the corpus from texts, mails, manuals and code of installed packages\n')
  try {
    const { corpus, references, generalEval } = await built.manifest
    const tasks = Object.entries(references).map(([task, { reward, eval: evaluation }]) => [
      task,
      { reward, evaluation },
    ])
    return {
      ...{ files: corpus.files, textField: 'text', other: generalEval, tasks: Object.fromEntries(tasks) },
      actors: actorsOfFile(plan.file, demoActors),
    }
  } finally {
    await built.close()
  }
}
