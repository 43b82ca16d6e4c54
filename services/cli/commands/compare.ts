import type { Command } from 'commander'
import type { Manifest, Progress } from '../../../schemas/index.ts'
import { selectsBy } from '../../../topologies/selects-by.ts'
import { readManifests, readProgress } from '../../runs/recorded.ts'
import { runNamed } from '../../runs/registry.ts'
import { compareRounds, type RoundComparison } from '../../runs/replay/compare.ts'
import { systemClock } from '../../runtime/clock.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { Counter } from '../../terminal/progress.ts'
import { formatFixed, percent, table } from '../../terminal/table.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'
import { type RunSource, RunSources, runHelp } from '../run-sources.ts'
import { summaries } from '../summaries.ts'

export const compare = (context: CliContext): Command =>
  clusterCommand('compare', summaries.compare)
    .argument('<run>', `${runHelp}, or a replay`)
    .argument('<other>', 'another one')
    .option('--json', 'a JSON line per round')
    .addHelpText('after', example('winnow compare multi-actor-7 random-7'))
    .action(async (a: string, b: string, options: GlobalOptions & { json?: boolean }) => {
      await using sources = new RunSources(context, options)
      const both = [await sources.open(a), await sources.open(b)] as const
      const by = (await Promise.all(both.map(({ runtime, run }) => runNamed(runtime, run)))).map(selectsBy)
      const [ofA, ofB] = await Promise.all(both.map(({ runtime, run }) => readManifests(runtime, run)))
      const [progressA, progressB] = await Promise.all(both.map(({ runtime, run }) => readProgress(runtime, run)))
      const pairs = ofA!.flatMap((manifest) => {
        const other = ofB!.find(({ round }) => round === manifest.round)
        return other === undefined ? [] : [[manifest, other] as const]
      })
      if (pairs.length === 0) throw new WinnowError('CONFIGURATION', `${a} and ${b} have no round in common yet`)
      const rounds = []
      for await (const [left, right, { common, documents, same }] of comparisons(context, both, pairs)) {
        rounds.push({
          round: left.round,
          same,
          documents,
          common,
          theta: [thetaOf(left), thetaOf(right)],
          referenceLoss: [lossAt(progressA!, left.step), lossAt(progressB!, right.step)],
        })
      }
      if (options.json) return await print(context.stdout, `${rounds.map((one) => json(one)).join('\n')}\n`)
      const number = true
      const columns = [
        { title: 'round', number },
        { title: 'in common', number },
        { title: `theta of ${a}` },
        { title: `of ${b}` },
        { title: `reference loss of ${a}`, number },
        { title: `of ${b}`, number },
      ]
      const rows = rounds.map(({ round, same, documents, common, theta, referenceLoss }) => [
        `${round}`,
        same ? 'all, same order' : `${common} of ${documents[0]} (${percent(common / Math.max(1, documents[0]))})`,
        ...theta.map((one, i) => by[i] ?? inWords(one)),
        ...referenceLoss.map((loss) => formatFixed(loss, 4)),
      ])
      await print(context.stdout, `${table(columns, rows, { width: widthOf(context.stdout) })}\n`)
    })

type Pair = readonly [Manifest, Manifest]

/** Pairs of rounds with what comparing their selections came to. */
async function* comparisons(
  { stderr }: Pick<CliContext, 'stderr'>,
  [ofA, ofB]: readonly [RunSource, RunSource],
  pairs: readonly Pair[],
): AsyncGenerator<[...Pair, RoundComparison]> {
  const progress = new Counter(stderr, systemClock, { doing: 'comparing', unit: 'rounds' })
  for (const [i, [left, right]] of pairs.entries()) {
    progress.at(i, pairs.length)
    yield [left, right, await compareRounds(left, right, ofA.runtime, ofB.runtime)]
  }
  progress.clear()
}

const thetaOf = ({ actors, theta }: Manifest): Record<string, number> =>
  Object.fromEntries(actors.map((actor, i) => [actor, theta[i]!]))

const inWords = (theta: Record<string, number>): string =>
  Object.entries(theta)
    .map(([actor, value]) => `${actor} ${formatFixed(value, 3)}`)
    .join(' ')

/** At the step at which a round was opened; null where it was not evaluated there. */
const lossAt = (progress: readonly Progress[], step: number): number | null =>
  progress.find((one) => one.step === step)?.referenceLoss ?? null
