import type { Command } from 'commander'
import type { RankAgreement, Stability } from '../../../topologies/evaluation/stability.ts'
import { runNamed } from '../../runs/registry.ts'
import { stabilityOfRun } from '../../runs/validation/stability.ts'
import { systemClock } from '../../runtime/clock.ts'
import { json } from '../../runtime/json.ts'
import { Counter } from '../../terminal/progress.ts'
import { formatFixed, table } from '../../terminal/table.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'
import { RunSources, runHelp } from '../run-sources.ts'

interface Options extends GlobalOptions {
  readonly json?: boolean
}

export const stability = (context: CliContext): Command =>
  clusterCommand('stability', 'how far the rankings of subcategories stay between rounds, by weights and mean rewards')
    .argument('<run>', runHelp)
    .option('--json', 'a JSON line for each actor and pair of rounds')
    .addHelpText('after', example('winnow influence stability multi-actor-7'))
    .action(async (name: string, options: Options) => {
      await using sources = new RunSources(context, options)
      const source = await sources.open(name)
      const run = await runNamed(source.runtime, source.run)
      const progress = new Counter(context.stderr, systemClock, { doing: 'reading rewards', unit: 'rounds' })
      const found = await stabilityOfRun(source.runtime, run, (done, total) => progress.at(done, total))
      progress.clear()
      const text = options.json ? found.map((one) => json(one)).join('\n') : inWords(found, widthOf(context.stdout))
      await print(context.stdout, `${text}\n`)
    })

function inWords(found: readonly Stability[], width: number | undefined): string {
  if (found.length === 0) return 'One round is selected; there is nothing to compare it with yet.'
  const columns = [
    { title: 'actor' },
    ...['rounds', 'weights: Spearman', 'Kendall', 'rewards: Spearman', 'Kendall', 'subcategories'].map((title) => ({
      title,
      number: true,
    })),
  ]
  const both = ({ spearman, kendall }: RankAgreement) => [formatFixed(spearman, 3), formatFixed(kendall, 3)]
  const rows = found.map(({ actor, from, to, weights, rewards }) => [
    ...[actor, `${from} to ${to}`, ...both(weights), ...both(rewards)],
    `${rewards.subcategories} of ${weights.subcategories}`,
  ])
  return `${table(columns, rows, { width })}\n\nRank correlations of an actor's subcategories between two rounds: 1, the order stayed. –: no reward, or all values equal. Subcategories: of those weighted how many had rewards in both rounds.`
}
