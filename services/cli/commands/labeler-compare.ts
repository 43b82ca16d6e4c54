import type { Command } from 'commander'
import { labelVersions } from '../../corpus/label-versions.ts'
import { type Comparison, compareFiles, compareVersions } from '../../labeler/commands/compare.ts'
import { compareGoldenFiles } from '../../labeler/commands/golden.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print } from '../context.ts'
import { names } from './labeler-options.ts'

interface Compared extends GlobalOptions {
  readonly actor?: string
  readonly versions?: string[]
}

export const compare = (context: CliContext): Command =>
  clusterCommand('compare', 'how far two versions of a labeler, or two machines, agree: in the corpus, or in two files')
    .argument(
      '[files...]',
      'two outputs of winnow labeler label on the same documents, or two of winnow labeler golden --out',
    )
    .option('--actor <name>', "instead of files: compare versions of this actor's labels in the corpus")
    .option('--versions <first,second>', 'two versions (default: the only two)', names)
    .addHelpText(
      'after',
      example(
        'winnow labeler compare before.jsonl after.jsonl',
        'winnow labeler compare --actor topic',
        'winnow labeler compare here.json there.json',
      ),
    )
    .action(async (files: string[], options: Compared) => {
      const { actor } = options
      if ((actor === undefined) !== (files.length === 2) || (actor !== undefined && files.length > 0))
        throw new WinnowError('USAGE', 'give two files of labels, or --actor', {
          hint: 'winnow labeler compare FIRST SECOND, or winnow labeler compare --actor NAME.',
        })
      const compared =
        actor === undefined
          ? (compareGoldenFiles(files[0]!, files[1]!) ?? compareFiles(files[0]!, files[1]!))
          : await compareInCorpus(context, actor, options)
      await print(context.stdout, `${json(compared)}\n`)
    })

async function compareInCorpus(
  context: CliContext,
  actor: string,
  options: Compared,
): Promise<Comparison & { versions: string[] }> {
  await using connection = await context.connect(options)
  const { runtime } = connection
  const { sql } = runtime.clickHouse
  const known = await labelVersions(sql, actor)
  const versions = options.versions ?? known.map(({ version }) => version)
  if (versions.length !== 2)
    throw new WinnowError('USAGE', `compare two versions of actor ${actor}, not ${versions.length}`, {
      hint: `Name two with --versions: ${known.map(({ version, documents }) => `${version} (${documents} documents)`).join(', ') || 'there are none'}.`,
    })
  return { versions, ...(await compareVersions(sql, actor, versions[0]!, versions[1]!)) }
}
