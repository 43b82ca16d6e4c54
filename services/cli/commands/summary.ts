import { writeFile } from 'node:fs/promises'
import { type Command, Option } from 'commander'
import { type MetaKind, type MetaPaths, metaKinds, usualPaths } from '../../corpus/exposed-meta.ts'
import { type Summary, summaryOf } from '../../runs/exposure/summary.ts'
import { summaryCroissant, summaryDocument } from '../../runs/exposure/summary-formats.ts'
import { summarySpdx } from '../../runs/exposure/summary-spdx.ts'
import { recordOf } from '../../runs/registry.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { checkpointRead } from '../checkpoint-read.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print } from '../context.ts'
import { signerOf, signingOption } from '../signing.ts'
import { summaries } from '../summaries.ts'

const formats = ['document', 'json', 'croissant', 'spdx'] as const

interface Options extends GlobalOptions {
  readonly run?: string
  readonly format: (typeof formats)[number]
  readonly json?: boolean
  readonly field: readonly string[]
  readonly out?: string
  readonly key?: string
}

export const summary = (context: CliContext): Command =>
  clusterCommand('summary', summaries.summary)
    .argument('[checkpoint]', 'its step, path or the beginning of its digest (default: the last one)')
    .option('--run <name>', 'the run (default: the newest that has selected)')
    .addOption(
      new Option('--format <format>', 'a document in Markdown, JSON, Croissant 1.0, or SPDX 3.0.1')
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
    .option(...signingOption('summary'))
    .addHelpText(
      'after',
      example(
        'winnow summary --run demo-7',
        'winnow summary 3000 --run demo-7 --format croissant --out croissant.json',
      ),
    )
    .action(async (wanted: string | undefined, { field, format, out, key, ...options }: Options) => {
      const signer = await signerOf({ out, key })
      const paths = pathsOf(field)
      await using connection = await context.connect(options)
      const { inputs, report, progress } = await checkpointRead(context, connection.runtime, wanted, options.run)
      const found = await summaryOf(inputs, report, paths)
      progress.clear()
      const { recordedMs } = await recordOf(connection.runtime, found.run)
      const text = written(found, options.json ? 'json' : format, recordedMs ?? 0)
      if (out === undefined) return await print(context.stdout, text)
      await writeFile(out, text)
      await signer?.sign(out)
    })

/** @param recordedMs when the run was recorded */
function written(found: Summary, format: Options['format'], recordedMs: number): string {
  const asJson = {
    json: () => found,
    croissant: () => summaryCroissant(found),
    spdx: () => summarySpdx(found, recordedMs),
  }
  return format === 'document' ? summaryDocument(found) : `${JSON.stringify(asJson[format](), null, 2)}\n`
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
