import type { Command } from 'commander'
import { losingMore, ratioTold } from '../../../topologies/duplicates/losses.ts'
import { duplicateLosses } from '../../corpus/duplicate-losses.ts'
import { readChanges } from '../../runs/actor-changes.ts'
import { readManifests } from '../../runs/recorded.ts'
import { runNamed } from '../../runs/registry.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { formatFixed, percent, table } from '../../terminal/table.ts'
import {
  type CliContext,
  clusterCommand,
  example,
  type GlobalOptions,
  naturalNumber,
  positiveNumber,
  print,
  widthOf,
} from '../context.ts'

interface Options extends GlobalOptions {
  readonly round?: number
  readonly factor: number
  readonly json?: boolean
}

export const runLost = (context: CliContext): Command =>
  clusterCommand('lost', 'what each source loses to near duplicates in a selection, beside its share of the documents')
    .argument('<run>', 'a run with selection.duplicates')
    .option('--round <round>', 'of which selection (default: the last)', naturalNumber)
    .option(
      '--factor <times>',
      'a source that loses more than this many times its share is marked',
      positiveNumber,
      ratioTold,
    )
    .option('--json', 'as JSON')
    .addHelpText('after', example('winnow run lost first', 'winnow run lost first --round 3 --factor 3'))
    .action(async (name: string, { round, factor, ...options }: Options) => {
      await using connection = await context.connect(options)
      const { runtime } = connection
      const run = await runNamed(runtime, name)
      const manifests = await readManifests(runtime, name)
      const manifest = round === undefined ? manifests.at(-1) : manifests.find((one) => one.round === round)
      if (manifest === undefined)
        throw new WinnowError(
          'CONFIGURATION',
          `run ${name} has selected nothing${round === undefined ? ' yet' : ` in round ${round}`}`,
          {
            hint: `winnow run show ${name} says what it waits for.`,
          },
        )
      const { configuration } = await readChanges(runtime, run)
      const losses = await duplicateLosses(runtime, configuration.at(manifest.round), manifest)
      if (losses === undefined)
        throw new WinnowError('CONFIGURATION', `run ${name} takes any number of near duplicates`, {
          hint: 'A limit is selection.duplicates in run.yaml (docs/duplicates.md).',
        })
      const told = new Set(losingMore(losses, factor))
      const rows = losses.map((one) => ({ ...one, more: told.has(one) }))
      if (options.json)
        return await print(context.stdout, `${json({ run: name, round: manifest.round, factor, sources: rows })}\n`)
      const columns = [
        { title: 'source', whole: true },
        ...['documents', 'share', 'lost', 'tokens lost', 'of the lost', 'times its share'].map((title) => ({
          title,
          number: true,
        })),
        { title: '' },
      ]
      const cells = rows.map((one) => [
        ...[one.name ?? `${one.source}`, `${one.documents}`, percent(one.share)],
        ...[`${one.lostDocuments}`, `${one.lostTokens}`, percent(one.lostShare)],
        ...[formatFixed(one.ratio, 2), one.more ? 'more than its share' : ''],
      ])
      await print(context.stdout, `${table(columns, cells, { width: widthOf(context.stdout) })}\n`)
    })
