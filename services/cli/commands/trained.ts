import type { Command } from 'commander'
import { lineageOf } from '../../../topologies/exposure/lineage.ts'
import { timesRead } from '../../../topologies/selection/reads.ts'
import type { Runtime } from '../../connections/connections.ts'
import { type ReadingsOf, type Trained, trainedOn } from '../../runs/exposure/trained.ts'
import { json } from '../../runtime/json.ts'
import { selectionIds } from '../../selections/chunks.ts'
import { table } from '../../terminal/table.ts'
import { type CheckpointRead, checkpointRead } from '../checkpoint-read.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'
import { summaries } from '../summaries.ts'

interface Options extends GlobalOptions {
  readonly run?: string
  readonly list?: boolean
  readonly json?: boolean
}

/** Sources shown in a table. */
const sourcesShown = 20

export const trained = (context: CliContext): Command =>
  clusterCommand('trained', summaries.trained)
    .argument('[checkpoint]', 'its step, path or the beginning of its digest (default: the last one)')
    .option('--run <name>', 'the run (default: the newest that has selected)')
    .option('--list', 'every document instead, in the order in which it was read: round, index, id, times read')
    .option('--json', 'as JSON; with --list as JSON lines')
    .addHelpText('after', example('winnow trained --run demo-7', 'winnow trained 3000 --run demo-7 --list > read.txt'))
    .action(async (wanted: string | undefined, options: Options) => {
      await using connection = await context.connect(options)
      const { runtime } = connection
      const read = await checkpointRead(context, runtime, wanted, options.run)
      if (options.list) return await list(context, options, runtime, read)
      const found = await trainedOn(read.inputs, read.report)
      read.progress.clear()
      await print(context.stdout, options.json ? `${json(found)}\n` : inWords(found, widthOf(context.stdout)))
    })

async function list(
  { stdout }: CliContext,
  options: Options,
  runtime: Runtime,
  { training, report }: CheckpointRead,
): Promise<void> {
  for (const { round, read } of lineageOf(training, report)) {
    const manifest = training.manifests.find((one) => one.round === round)!
    const passed = read ?? manifest.documents
    const end = Math.min(passed, manifest.documents)
    let index = 0
    for await (const ids of selectionIds(runtime, manifest, 0)) {
      const lines = ids.slice(0, end - index).map((docId, i) => {
        const row = { round, index: index + i, docId, times: timesRead(index + i, manifest.documents, passed) }
        return options.json ? json(row) : Object.values(row).join(' ')
      })
      if (lines.length > 0) await print(stdout, `${lines.join('\n')}\n`)
      index += ids.length
      if (index >= end) break
    }
  }
}

const number = (value: number): string => value.toLocaleString('en')

function inWords(found: Trained, width: number | undefined): string {
  const { run, checkpoint, documents, distinct, tokens, rounds, addsUp } = found
  const head = `checkpoint of step ${checkpoint.step} of run ${run}: ${checkpoint.path}\n${number(distinct)} documents, read ${number(documents)} times in all, ${number(tokens)} tokens\n`
  const account = addsUp
    ? 'The tokens add up to those that it was trained on.'
    : `It was trained on ${number(rounds.reduce((sum, round) => sum + round.tokens, 0))} tokens: ingest has counted the documents by other means (winnow ingest --tokens tokenizer:FILE counts as the trainer does).`
  const ofRounds = rounds.map(({ round, selected, read, stepFirst, stepLast, tokens }) => [
    `${round}`,
    `${stepFirst + 1} to ${stepLast}`,
    number(selected),
    number(read),
    number(tokens),
  ])
  const roundColumns = ['round', 'steps', 'selected', 'read', 'tokens trained on'].map((title) => ({
    title,
    number: title !== 'steps',
  }))
  const times = found.times.map((one) => [`${one.times}`, number(one.documents)])
  const parts = [
    table(roundColumns, ofRounds, { width }),
    table(
      [
        { title: 'times read', number: true },
        { title: 'documents', number: true },
      ],
      times,
      { width },
    ),
    ...found.actors.map(({ actor, subcategories }) => shares(actor, subcategories, width)),
    shares('source', found.sources.slice(0, sourcesShown), width),
  ]
  const more = found.sources.length - sourcesShown
  return `${head}${account}\n\n${parts.join('\n\n')}\n${more > 0 ? `and ${more} more sources: --json\n` : ''}`
}

function shares(title: string, of: readonly ReadingsOf[], width: number | undefined): string {
  const total = of.reduce((sum, { tokens }) => sum + tokens, 0)
  const rows = of.map(({ name, documents, tokens }) => [
    ...[name, number(documents), number(tokens), `${((100 * tokens) / Math.max(1, total)).toFixed(1)}%`],
  ])
  const columns = [{ title }, ...['documents', 'tokens', 'of tokens'].map((one) => ({ title: one, number: true }))]
  return table(columns, rows, { width })
}
