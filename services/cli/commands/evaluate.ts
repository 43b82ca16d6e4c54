import { type Command, Option } from 'commander'
import type { Estimate, Evaluation } from '../../../schemas/index.ts'
import { estimateFor, isBetter, roundsNoBetter } from '../../../topologies/evaluation/evaluate.ts'
import { theCorpus, theSelection } from '../../../topologies/evaluation/policies.ts'
import { evaluateRun } from '../../runs/evaluation/evaluate.ts'
import { runNamed } from '../../runs/registry.ts'
import { systemClock } from '../../runtime/clock.ts'
import { json } from '../../runtime/json.ts'
import { Counter } from '../../terminal/progress.ts'
import { formatFixed, table } from '../../terminal/table.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'
import { RunSources, runHelp } from '../run-sources.ts'
import { summaries } from '../summaries.ts'

interface Options extends GlobalOptions {
  readonly on?: Evaluation['on']
  readonly json?: boolean
}

export const evaluate = (context: CliContext): Command =>
  clusterCommand('evaluate', summaries.evaluate)
    .argument('<run>', runHelp)
    .addOption(
      new Option(
        '--on <rewards>',
        'held-out: those that no actor folded (selection.holdOut); next-round: those of the round after it',
      ).choices(['held-out', 'next-round']),
    )
    .option('--json', 'a JSON line per round')
    .addHelpText('after', example('winnow evaluate multi-actor-7', 'winnow evaluate multi-actor-7 --json'))
    .action(async (name: string, options: Options) => {
      await using sources = new RunSources(context, options)
      const source = await sources.open(name)
      const { runtime } = source
      const run = await runNamed(runtime, source.run)
      const progress = new Counter(context.stderr, systemClock, { doing: 'evaluating', unit: 'rounds' })
      const evaluations = await evaluateRun(runtime, run, options.on, (done, total) => progress.at(done, total))
      progress.clear()
      if (options.json) return await print(context.stdout, `${evaluations.map((one) => json(one)).join('\n')}\n`)
      const number = true
      const columns = [
        { title: 'mean reward' },
        ...evaluations.map(({ round }) => ({ title: `round ${round}`, number })),
      ]
      const policies = [...new Set(evaluations.flatMap(({ estimates }) => estimates.map(({ policy }) => policy)))]
      const rows = policies.map((policy) => [policy, ...evaluations.map((one) => inWords(estimateFor(one, policy)))])
      await print(context.stdout, `${table(columns, rows, { width: widthOf(context.stdout) })}\n\n`)
      await print(context.stdout, `${conclusion(evaluations)}\n${rewardsUsed(evaluations)}\n`)
    })

const inWords = (estimate: Estimate | undefined): string =>
  estimate?.mean == null
    ? '–'
    : `${formatFixed(estimate.mean, 3)} (${formatFixed(estimate.low, 3)} to ${formatFixed(estimate.high, 3)})`

/** What the last rounds say, in words. */
function conclusion(evaluations: readonly Evaluation[]): string {
  const last = evaluations.at(-1)!
  if (last.round === 0) return 'Round 0 was selected before there was any reward.'
  const selection = estimateFor(last, theSelection)
  const corpus = estimateFor(last, theCorpus)
  const better = selection === undefined ? null : isBetter(selection)
  if (better === null) return `Round ${last.round}: no answer is of a document that was selected; nothing can be said.`
  const gain = `${formatFixed(selection!.gain, 3)} (${formatFixed(selection!.gainLow, 3)} to ${formatFixed(selection!.gainHigh, 3)}) above a random document's ${formatFixed(corpus?.mean ?? null, 3)}`
  const rounds = roundsNoBetter(evaluations)
  if (better) return `Round ${last.round}: its selection is better than random: ${gain}.`
  return `Round ${last.round}: its selection is not seen to be better than random, for ${rounds} ${rounds === 1 ? 'round' : 'rounds'} in a row: ${gain}.`
}

function rewardsUsed(evaluations: readonly Evaluation[]): string {
  const counts = evaluations.map(({ answers }) => answers)
  const range = `${Math.min(...counts)} to ${Math.max(...counts)} rewards a round, 95% intervals`
  if (evaluations.at(-1)!.on === 'held-out') return `By rewards held out: ${range}. No actor has folded them.`
  return `By the rewards of the next round, which the weights had not seen: ${range}. That round has folded them afterwards, and the model has moved on; selection.holdOut keeps rewards apart.`
}
