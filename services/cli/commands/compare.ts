import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { selectsBy } from '../../../topologies/selects-by.ts'
import { compareRuns, type RoundOfTwo } from '../../runs/compare/compare-runs.ts'
import { comparedRun } from '../../runs/compare/compared-run.ts'
import type { Both } from '../../runs/compare/overlap.ts'
import { runNamed } from '../../runs/registry.ts'
import { systemClock } from '../../runtime/clock.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { Counter } from '../../terminal/progress.ts'
import { comparedInWords } from '../compared-rounds.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'
import { RunSources, runHelp } from '../run-sources.ts'
import { summaries } from '../summaries.ts'

export const compare = (context: CliContext): Command =>
  clusterCommand('compare', summaries.compare)
    .argument('<run>', `${runHelp}, or a replay`)
    .argument('<other>', 'another one')
    .option('--json', 'a JSON line per round, with every cell')
    .option('--html <file>', 'also a page of one file with plots, which opens without a network')
    .addHelpText(
      'after',
      example('winnow compare multi-actor-7 random-7', 'winnow compare multi-actor-7 random-7 --html compared.html'),
    )
    .action(async (a: string, b: string, options: GlobalOptions & { json?: boolean; html?: string }) => {
      await using sources = new RunSources(context, options)
      const both = [await sources.open(a), await sources.open(b)] as const
      // Who cannot be read is said before who has nothing to compare.
      for (const { runtime, run } of both) await runNamed(runtime, run)
      const runs = [
        await comparedRun(a, both[0].runtime, both[0].run),
        await comparedRun(b, both[1].runtime, both[1].run),
      ] as const
      const progress = new Counter(context.stderr, systemClock, { doing: 'comparing', unit: 'rounds' })
      const rounds = await compareRuns(runs, { onProgress: (done, total) => progress.at(done, total) })
      progress.clear()
      const names = [a, b] as const
      if (options.html !== undefined) {
        const { comparisonHtml } = await import('../../runs/compare/page.ts')
        const file = resolve(context.folder, options.html)
        writePage(file, comparisonHtml(runs, rounds))
        context.stderr.write(`${file}\n`)
      }
      if (options.json) return await print(context.stdout, `${rounds.map((one) => json(lineOf(one))).join('\n')}\n`)
      const by: Both<string | null> = [selectsBy(runs[0].config), selectsBy(runs[1].config)]
      await print(context.stdout, comparedInWords(rounds, names, by, widthOf(context.stdout)))
    })

function writePage(file: string, html: string): void {
  try {
    writeFileSync(file, html)
  } catch (cause) {
    throw new WinnowError('CONFIGURATION', `${file} cannot be written: ${(cause as Error).message}`, {
      hint: 'Name a file in a folder that exists and that you may write to.',
      cause,
    })
  }
}

/** A round as a JSON line: cells with the names of their subcategories. */
function lineOf({ overlap, actors, ...round }: RoundOfTwo): object {
  const { documents, common, jaccard, unlabelled, cells } = overlap
  return {
    ...round,
    ...{ documents, common, jaccard, unlabelled },
    theta: [0, 1].map((side) =>
      Object.fromEntries(actors.flatMap(({ actor, theta }) => (theta[side] === null ? [] : [[actor, theta[side]]]))),
    ),
    actors,
    cells: cells.map(({ labels, ...cell }) => ({
      labels: Object.fromEntries(labels.map((j, a) => [actors[a]!.actor, actors[a]!.subcategories[j]!.subcategory])),
      ...cell,
    })),
  }
}
