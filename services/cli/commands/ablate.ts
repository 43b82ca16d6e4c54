import type { Command } from 'commander'
import type { Judged } from '../../../topologies/ablation/judge.ts'
import type { Interval } from '../../../topologies/evaluation/estimate.ts'
import { takenOverInWords } from '../../../topologies/rounds/other-text.ts'
import { ablateRun } from '../../runs/evaluation/ablate.ts'
import { runNamed } from '../../runs/registry.ts'
import { systemClock } from '../../runtime/clock.ts'
import { json } from '../../runtime/json.ts'
import { Counter } from '../../terminal/progress.ts'
import { formatFixed, table } from '../../terminal/table.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'
import { RunSources, runHelp } from '../run-sources.ts'
import { summaries } from '../summaries.ts'

interface Options extends GlobalOptions {
  readonly sweep: readonly string[]
  readonly json?: boolean
}

export const ablate = (context: CliContext): Command =>
  clusterCommand('ablate', summaries.ablate)
    .argument('<run>', runHelp)
    .option(
      '--sweep <key=values>',
      'hyperparameters to try instead of the ablations, all combinations: eta=0.03,0.1,0.3 (of all actors), eta.topic=0.1, update=ema,additive, ..; repeatable',
      (value: string, all: readonly string[]) => [...all, value],
      [] as readonly string[],
    )
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      example(
        'winnow ablate multi-actor-7',
        'winnow ablate multi-actor-7 --sweep eta=0.03,0.1,0.3 --sweep update=ema,additive',
      ),
    )
    .action(async (name: string, options: Options) => {
      await using sources = new RunSources(context, options)
      const source = await sources.open(name)
      const { runtime } = source
      const run = await runNamed(runtime, source.run)
      const progress = new Counter(context.stderr, systemClock, { doing: 'judging', unit: 'rounds' })
      const ablation = await ablateRun(runtime, run, options.sweep, (done, total) => progress.at(done, total))
      progress.clear()
      if (options.json) return await print(context.stdout, `${json(ablation)}\n`)
      const number = true
      const columns = [
        { title: '' },
        ...['mean reward', 'above random', '95% interval', 'in common'].map((title) => ({ title, number })),
      ]
      const rows = ablation.variants.map((one) => [one.name, ...inWords(one)])
      const { rounds, on } = ablation
      const by = on === 'held-out' ? 'rewards that were held out' : 'the rewards of the round after each'
      await print(context.stdout, `${table(columns, rows, { width: widthOf(context.stdout) })}\n\n`)
      await print(
        context.stdout,
        `Means of ${rounds.length} ${rounds.length === 1 ? 'round' : 'rounds'}, by ${by}, which no weights had seen. In common: documents, with what was selected.\n`,
      )
      for (const line of takenOverInWords(ablation.natural)) await print(context.stdout, `${line}\n`)
      for (const { name: variant, ended } of ablation.variants)
        if (ended !== null) await print(context.stdout, `${variant} would have ended: ${ended}\n`)
    })

function inWords({ reward, gain, overlap }: Judged): string[] {
  const interval = (of: Interval | null) =>
    of === null ? '–' : `${formatFixed(of.low, 3)} to ${formatFixed(of.high, 3)}`
  return [
    reward === null ? '–' : formatFixed(reward.mean, 3),
    gain === null ? '–' : formatFixed(gain.mean, 3),
    interval(gain),
    overlap === null ? '–' : `${formatFixed(100 * overlap, 1)}%`,
  ]
}
