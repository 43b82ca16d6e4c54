import { userInfo } from 'node:os'
import { Command, InvalidArgumentError } from 'commander'
import type { Exclusion } from '../../../schemas/index.ts'
import { ngramOf } from '../../../topologies/decontamination/filter.ts'
import { listOf } from '../../../topologies/decontamination/sets.ts'
import { Words } from '../../../topologies/decontamination/words.ts'
import { createCorpusTopics } from '../../connections/connections.ts'
import { excludedBy, listsNow } from '../../corpus/exclusions.ts'
import { readable } from '../../corpus/readable.ts'
import { checkedOf } from '../../host/decontamination.ts'
import { readEvalSets } from '../../host/eval-sets.ts'
import { readItems } from '../../runs/eval-sets/items.ts'
import { ngramDefault, shareDefault } from '../../runs/eval-sets/of-run.ts'
import { addEvalSet, removeEvalSet } from '../../runs/eval-sets/record.ts'
import { readingsOf } from '../../runs/exposure/readings.ts'
import { listRuns } from '../../runs/registry.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { table } from '../../terminal/table.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'
import { summaries } from '../summaries.ts'

interface AddOptions extends GlobalOptions {
  readonly field?: string[]
  readonly ngram: number
  readonly share: number
  readonly by: string
  readonly json?: boolean
}

/** Who is asking, for the record. */
export const withBy = (command: Command): Command =>
  command.option('--by <who>', 'recorded as who wanted it', userInfo().username)

export function evalSet(context: CliContext): Command {
  const command = new Command('eval-set').description(summaries['eval-set'])
  for (const make of [add, list, matches, remove]) command.addCommand(make(context))
  return command
}

const add = (context: CliContext): Command =>
  withBy(clusterCommand('add', 'takes documents that contain an item of these files out of all selections'))
    .argument('<name>', 'what it is called')
    .argument('<file...>', 'rows in any format that ingest reads, one an item')
    .option('--field <names...>', 'fields with its texts, in order (default: text)')
    .option('--ngram <words>', 'words of an n-gram', words, ngramDefault)
    .option('--share <share>', 'of the n-grams of an item that a document has to have; 0: any one', share, shareDefault)
    .option('--json', 'what was recorded, as JSON')
    .addHelpText('after', example('winnow eval-set add birds birds.jsonl --field question choices'))
    .action(async (name: string, files: string[], options: AddOptions) => {
      const { field = ['text'], ngram, share, by } = options
      const items = await readItems(files, field)
      const short = items.filter((item) => ngramOf(new Words().read(item).count, ngram) === 0).length
      if (short === items.length)
        throw new WinnowError('BAD_DATA', `all ${items.length} items are too short to be looked for`, {
          hint: 'An item has at least 8 words, or as many as --ngram says if that is less. Take more fields of a row: --field.',
        })
      await using connection = await context.connect(options)
      const { runtime, config } = connection
      await createCorpusTopics(runtime.kafka, config)
      const isNew = await addEvalSet(runtime, { name, ngram, share, items, by, origin: files.join(' ') })
      const counts = { items: items.length, tooShort: short, recorded: isNew }
      if (options.json) await print(context.stdout, `${json({ set: name, ...counts })}\n`)
      const what = `${items.length - short} items of ${name}${short > 0 ? `; ${short} are too short to be looked for` : ''}`
      context.stderr.write(
        isNew
          ? `${what}. Documents are compared where 'winnow dev' or 'winnow up' runs; rounds open once that is done: winnow eval-set list\n`
          : `${name} is recorded already\n`,
      )
    })

const list = (context: CliContext): Command =>
  clusterCommand('list', 'evaluation sets, how far documents have been compared with them, and how many they exclude')
    .option('--json', 'as JSON lines')
    .addHelpText('after', example('winnow eval-set list'))
    .action(async (options: GlobalOptions & { json?: boolean }) => {
      await using connection = await context.connect(options)
      const { runtime } = connection
      const sets = await readEvalSets(runtime)
      const lists = await listsNow(runtime.clickHouse.sql)
      const excluded = new Map(lists.map((one) => [one.list, one.documents]))
      const checked = await checkedOf(runtime, sets)
      const rows = sets.all.map((set) => ({ ...set, excludes: excluded.get(listOf(set.name)) ?? 0 }))
      if (options.json) {
        for (const row of rows) await print(context.stdout, `${json({ ...row, checked })}\n`)
        return
      }
      if (rows.length === 0) return await print(context.stdout, 'no evaluation sets: winnow eval-set add\n')
      const numbers = ['items', 'n-gram', 'share', 'excludes'].map((title) => ({ title, number: true }))
      const columns = [{ title: 'set' }, ...numbers, { title: 'by' }, { title: 'state' }]
      const state = checked === 1 ? 'compared' : `${Math.floor(100 * checked)}% compared`
      const cells = rows.map(({ name, items, ngram, share, excludes, by, active }) => [
        ...[name, `${items}`, `${ngram}`, `${share}`, `${excludes}`, by, active ? state : 'removed'],
      ])
      await print(context.stdout, `${table(columns, cells, { width: widthOf(context.stdout) })}\n`)
    })

/** Characters of a span in a table. */
const spanShown = 80

const matches = (context: CliContext): Command =>
  clusterCommand(
    'matches',
    'the documents that a set excludes, what they have of it, and what trainers had read of them',
  )
    .argument('<name>', 'the set')
    .option('--json', 'as JSON lines: documents with the whole span, then runs with what they had read')
    .addHelpText('after', example('winnow eval-set matches birds'))
    .action(async (name: string, options: GlobalOptions & { json?: boolean }) => {
      await using connection = await context.connect(options)
      const { runtime } = connection
      const found = (await excludedBy(runtime.clickHouse.sql, listOf(name))).map(({ value }) => value)
      const texts = await readable(runtime, 'left out').texts(found.map(({ docId }) => docId))
      const runs = [...(await listRuns(runtime)).values()].filter(({ replayOf }) => replayOf === null)
      const readings = await readingsOf(
        runtime,
        found.map(({ docId }) => docId),
        runs.map(({ run }) => run),
      )
      const spanOf = ({ docId, contained }: Exclusion) =>
        texts.get(docId)?.slice(contained?.from ?? 0, contained?.to ?? 0)
      if (options.json) {
        for (const one of found) await print(context.stdout, `${json({ ...one, span: spanOf(one) ?? null })}\n`)
        for (const one of readings) await print(context.stdout, `${json(one)}\n`)
        return
      }
      if (found.length === 0) return await print(context.stdout, `no document is excluded by ${name}\n`)
      const rows = found.map((one) => [
        ...[`${one.docId}`, `${one.contained?.item}`, `${one.contained?.found} of ${one.contained?.of}`],
        spanOf(one)?.replaceAll(/\s+/g, ' ').slice(0, spanShown) ?? '',
      ])
      const columns = [{ title: 'document' }, { title: 'item', number: true }, { title: 'n-grams' }, { title: 'span' }]
      await print(context.stdout, `${table(columns, rows, { width: widthOf(context.stdout) })}\n\n${whoRead(readings)}`)
    })

/** In words, what trainers had read of some documents. */
export function whoRead(readings: Awaited<ReturnType<typeof readingsOf>>): string {
  if (readings.length === 0) return 'no trainer had read any of them\n'
  return readings
    .map(({ run, readings: of, checkpoints }) => {
      const documents = new Set(of.map(({ docId }) => docId)).size
      const rounds = [...new Set(of.map(({ round }) => round))].sort((a, b) => a - b)
      const [first] = checkpoints
      const since =
        first === undefined ? 'no checkpoint has' : `checkpoints from step ${first.step} on (${first.path}) have`
      return `run ${run} had read ${documents} of them, in rounds ${rounds.join(', ')}; ${since}\n`
    })
    .join('')
}

const remove = (context: CliContext): Command =>
  withBy(clusterCommand('remove', 'removes a set; the documents that it excluded are back in from the next round on'))
    .argument('<name>', 'the set')
    .option('--json', 'how many exclusions were lifted, as JSON')
    .addHelpText('after', example('winnow eval-set remove birds'))
    .action(async (name: string, { by, ...options }: GlobalOptions & { by: string; json?: boolean }) => {
      await using connection = await context.connect(options)
      const lifted = await removeEvalSet(connection.runtime, name, by)
      if (options.json) await print(context.stdout, `${json({ set: name, lifted })}\n`)
      context.stderr.write(`${name} is removed, ${lifted} exclusions are lifted\n`)
    })

function words(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 4 && value <= 50) return value
  throw new InvalidArgumentError('must be a whole number from 4 to 50')
}

function share(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= 0 && value <= 1) return value
  throw new InvalidArgumentError('must be from 0 to 1')
}
