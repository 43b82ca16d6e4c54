import { type Command, InvalidArgumentError } from 'commander'
import { explainDocument } from '../../runs/explain.ts'
import { explainRound } from '../../runs/explain-round.ts'
import { runNamed } from '../../runs/registry.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { formatFixed, table } from '../../terminal/table.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'
import { idOf } from '../document-id.ts'
import { detailsInWords } from '../explained-round.ts'
import { runMeant } from '../run-meant.ts'
import { RunSources, runHelp } from '../run-sources.ts'
import { summaries } from '../summaries.ts'

interface Options extends GlobalOptions {
  readonly run?: string
  readonly round?: number
  readonly json?: boolean
}

const textCharactersShown = 300

export const explain = (context: CliContext): Command =>
  clusterCommand('explain', summaries.explain)
    .argument('<id>', 'document id, decimal')
    .option('--run <name>', `${runHelp} (default: the newest that has selected)`)
    .option('--round <round>', 'this round alone, down to the rewards behind each weight', roundOf)
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      example('winnow explain 1099511627776 --run demo-7', 'winnow explain 1099511627776 --run demo-7 --round 3'),
    )
    .action(async (id: string, options: Options) => {
      const docId = idOf(id)
      await using sources = new RunSources(context, options)
      const meant = options.run ?? (await runMeant(context, (await sources.cluster()).runtime, undefined))
      const { runtime, run: name } = await sources.open(meant)
      const run = await runNamed(runtime, name)
      const explained = await explainDocument(runtime, run, docId)
      if (explained === undefined) throw new WinnowError('BAD_DATA', `the corpus has no document ${id}`)
      const { document, inputs } = explained
      const at = explained.explanations.findIndex(({ round }) => round === options.round)
      if (options.round !== undefined && at === -1)
        throw new WinnowError('CONFIGURATION', `run ${name} has not selected in round ${options.round}`, {
          hint: `Rounds: ${explained.explanations.map(({ round }) => round).join(', ') || 'none yet'}.`,
        })
      const explanations = at === -1 ? explained.explanations : [explained.explanations[at]!]
      const details = at === -1 ? undefined : await explainRound(runtime, run, inputs[at]!, explanations[0]!)
      if (options.json)
        return await print(context.stdout, `${json({ run: name, document, explanations, ...details })}\n`)
      const text = document.text.slice(0, textCharactersShown).replaceAll(/\s+/g, ' ')
      const labels =
        explanations[0]?.contributions.map(({ actor, subcategory }) => `${actor} ${subcategory}`).join(', ') ??
        'not labelled by every actor'
      const rows = explanations.map((one) => [
        `${one.round}`,
        one.verdict,
        formatFixed(one.score, 6),
        formatFixed(one.threshold, 6),
        one.flip,
      ])
      const columns = [
        { title: 'round', number: true },
        { title: 'verdict' },
        { title: 'score', number: true },
        { title: 'threshold', number: true },
        { title: 'what would have changed it' },
      ]
      const head = `document ${id} (${document.tokens} tokens) in run ${name}\n${document.meta.slice(0, textCharactersShown)}\n${labels}\n\n  ${text}\n`
      await print(context.stdout, `${head}\n${table(columns, rows, { width: widthOf(context.stdout) })}\n`)
      if (details !== undefined)
        await print(context.stdout, `\n${detailsInWords(details, explanations[0]!, widthOf(context.stdout))}`)
    })

function roundOf(text: string): number {
  const round = Number(text)
  if (text.trim() === '' || !Number.isSafeInteger(round) || round < 0)
    throw new InvalidArgumentError('must be a round, 0 or more')
  return round
}
