import type { Command } from 'commander'
import { labelVersions } from '../../corpus/label-versions.ts'
import { labelerVersions } from '../../runs/label-progress.ts'
import { json } from '../../runtime/json.ts'
import { formatCount } from '../../terminal/progress.ts'
import { table } from '../../terminal/table.ts'
import { configOf } from '../config-of.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'

interface Options extends GlobalOptions {
  readonly corpus?: boolean
  readonly json?: boolean
}

interface Row {
  readonly actor: string
  readonly version: string
  readonly inForce: boolean
  /** Left out where nobody asked the corpus. */
  readonly documents?: number
}

/** The versions in force: those that the labelers of the configuration write, and that a run uses if it names no others. */
export const versions = (context: CliContext): Command =>
  clusterCommand('versions', 'the versions of the configured labelers, which runs use unless they name others')
    .option('--corpus', 'also those that the corpus has labels of, with the number of documents')
    .option('--json', 'as JSON')
    .addHelpText('after', example('winnow labeler versions', 'winnow labeler versions --corpus --json'))
    .action(async (options: Options) => {
      const rows = options.corpus === true ? await ofCorpus(context, options) : await ofConfiguration(context, options)
      if (options.json) return await print(context.stdout, `${json(rows)}\n`)
      const columns = [
        { title: 'actor' },
        { title: 'version' },
        { title: 'in force' },
        ...(options.corpus === true ? [{ title: 'documents', number: true }] : []),
      ]
      const cells = rows.map(({ actor, version, inForce, documents }) => [
        actor,
        version,
        inForce ? 'yes' : 'no',
        ...(documents === undefined ? [] : [formatCount(documents)]),
      ])
      await print(context.stdout, `${table(columns, cells, { width: widthOf(context.stdout) })}\n`)
    })

async function ofConfiguration(context: CliContext, options: Options): Promise<Row[]> {
  const found = await labelerVersions(configOf(context, options))
  return [...found].map(([actor, version]) => ({ actor, version, inForce: true }))
}

async function ofCorpus(context: CliContext, options: Options): Promise<Row[]> {
  await using connection = await context.connect(options)
  const { config, runtime } = connection
  const rows: Row[] = []
  for (const [actor, version] of await labelerVersions(config)) {
    const known = await labelVersions(runtime.clickHouse.sql, actor)
    const documents = known.find((one) => one.version === version)?.documents ?? 0
    rows.push({ actor, version, inForce: true, documents })
    for (const one of known) if (one.version !== version) rows.push({ actor, ...one, inForce: false })
  }
  return rows
}
