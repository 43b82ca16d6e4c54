import { writeFile } from 'node:fs/promises'
import { type Command, Option } from 'commander'
import { type MetaKind, type MetaPaths, metaKinds, usualPaths } from '../../corpus/exposed-meta.ts'
import { sourceNames } from '../../runs/exposure/source-names.ts'
import { type Summary, summaryOf } from '../../runs/exposure/summary.ts'
import { summaryCroissant, summaryDocument } from '../../runs/exposure/summary-formats.ts'
import { checkpointMeant } from '../../runs/exposure/trained.ts'
import { readTraining } from '../../runs/exposure/training.ts'
import { runNamed } from '../../runs/registry.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { SelectionReader } from '../../selections/selection-reader.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print } from '../context.ts'
import { lookingUp } from '../looking-up.ts'
import { runMeant } from '../run-meant.ts'
import { summaries } from '../summaries.ts'

const formats = ['document', 'json', 'croissant'] as const

interface Options extends GlobalOptions {
  readonly run?: string
  readonly format: (typeof formats)[number]
  readonly json?: boolean
  readonly field: readonly string[]
  readonly out?: string
}

export const summary = (context: CliContext): Command =>
  clusterCommand('summary', summaries.summary)
    .argument('[checkpoint]', 'its step, path or the beginning of its digest (default: the last one)')
    .option('--run <name>', 'the run (default: the newest that has selected)')
    .addOption(
      new Option('--format <format>', 'a document in Markdown, JSON, or Croissant 1.0')
        .choices(formats)
        .default('document'),
    )
    .option(
      '--field <kind=path>',
      `where rows have a ${metaKinds.join(', ')}, for example licence=meta.rights; may be repeated (default: the usual names)`,
      (text: string, before: readonly string[]) => [...before, text],
      [] as readonly string[],
    )
    .option('--json', 'the same as --format json')
    .option('--out <file>', 'where to write it (default: standard output)')
    .addHelpText(
      'after',
      example(
        'winnow summary --run demo-7',
        'winnow summary 3000 --run demo-7 --format croissant --out croissant.json',
      ),
    )
    .action(async (wanted: string | undefined, { field, format, out, ...options }: Options) => {
      const paths = pathsOf(field)
      await using connection = await context.connect(options)
      const { runtime } = connection
      const name = await runMeant(context, runtime, options.run)
      const run = await runNamed(runtime, name)
      const training = await readTraining(runtime, name, await runtime.kafka.topicNames())
      const { report, checkpoint } = checkpointMeant(training, name, wanted)
      await using reader = await SelectionReader.open({ ...runtime, run: name, reader: 'summary' })
      const looking = lookingUp(context)
      const sources = await sourceNames(runtime)
      const inputs = { runtime, run, training, reader, sources, onProgress: looking.tick }
      const found = await summaryOf(inputs, { ...report, checkpoint }, paths)
      looking.clear()
      const text = written(found, options.json ? 'json' : format)
      await (out === undefined ? print(context.stdout, text) : writeFile(out, text))
    })

function written(found: Summary, format: Options['format']): string {
  if (format === 'document') return summaryDocument(found)
  return `${JSON.stringify(format === 'json' ? found : summaryCroissant(found), null, 2)}\n`
}

function pathsOf(given: readonly string[]): MetaPaths {
  const paths: Record<MetaKind, readonly (readonly string[])[]> = { ...usualPaths }
  for (const text of given) {
    const [, kind, path] = /^(\w+)=([^=]+)$/.exec(text) ?? []
    if (!metaKinds.includes(kind as MetaKind))
      throw new WinnowError('USAGE', `--field ${text}: expected KIND=PATH`, {
        hint: `Kinds: ${metaKinds.join(', ')}. A path is keys with dots between them: --field licence=meta.rights.`,
      })
    paths[kind as MetaKind] = [path!.split('.')]
  }
  return paths
}
