import { writeFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Command, Option } from 'commander'
import { plainName, plainNameRule } from '../../../topologies/run-config.ts'
import { countDocuments, labelerVersions } from '../../runs/label-progress.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { makeFolder } from '../../runtime/make-folder.ts'
import type { CliContext, GlobalOptions } from '../context.ts'
import { refuseExisting } from './existing.ts'
import { referenceFiles } from './reference-files.ts'
import { exampleRun, type Preset, presets } from './run-example.ts'

export interface ExampleOptions extends GlobalOptions {
  readonly name?: string
  readonly control?: boolean
  readonly preset: Preset
  readonly reference?: string
  readonly checkpoints: string
}

/** Adds the options of whatever makes an example of run.yaml. @param flag the one that they come with */
export function withExampleOptions(command: Command, flag: string): Command {
  for (const option of exampleOptions()) {
    option.description = `with ${flag}: ${option.description}`
    command.addOption(option)
  }
  return command
}

const exampleOptions = (): Option[] => [
  new Option('--name <run>', 'its name (default: first, or first-control)'),
  new Option('--control', 'a control, which draws at random in every round'),
  new Option('--preset <which>', 'settings for a small model, or those of the paper')
    .choices(Object.keys(presets))
    .default('small'),
  new Option(
    '--reference <file>',
    'samples of your task, JSON lines (default: passages of the corpus, to try with); makes the files in ./reference',
  ),
  new Option('--checkpoints <folder>', 'where trainer and influence workers both find the checkpoints').default(
    './checkpoints',
  ),
]

const schemaFile = fileURLToPath(new URL('../../../docs/run.schema.json', import.meta.url))

/**
 * The text of a run.yaml in `folder` that works as it is on the corpus that has been ingested; the reference's files are made beside it.
 * @throws WinnowError CONFIGURATION where there is no document yet
 */
export async function exampleIn(context: CliContext, folder: string, options: ExampleOptions): Promise<string> {
  const { control = false, preset, checkpoints } = options
  const name = options.name ?? (control ? 'first-control' : 'first')
  if (!plainName.test(name)) throw new WinnowError('USAGE', `--name ${name}: ${plainNameRule}`)
  await using connection = await context.connect(options)
  const { config, runtime } = connection
  const versions = await labelerVersions(config)
  const { documents, complete } = await countDocuments(runtime, versions)
  if (documents === 0)
    throw new WinnowError('CONFIGURATION', 'the corpus has no documents yet, and a run is made for its corpus', {
      hint: 'Ingest first: winnow ingest FILES.',
    })
  const own = options.reference === undefined ? undefined : resolve(context.folder, options.reference)
  const { paths, note, written } = await referenceFiles(runtime, folder, own)
  for (const file of written) context.stderr.write(`written: ${file}\n`)
  const schema = relative(folder, schemaFile)
  return exampleRun({
    ...{ name, preset, control, versions, checkpoints },
    actors: config.actors,
    // Those that are being labelled count soon.
    documents: complete === 0 ? documents : complete,
    reference: paths,
    referenceNote: note,
    ofCorpus: own === undefined,
    schema: schema.startsWith('..') ? schemaFile : schema,
  })
}

/** Writes it. @throws WinnowError CONFIGURATION where the file exists and may not be replaced */
export async function writeExample(
  context: CliContext,
  options: ExampleOptions & { readonly out?: string; readonly force?: boolean },
): Promise<string> {
  const file = resolve(context.folder, options.out ?? 'run.yaml')
  refuseExisting(file, options.force)
  makeFolder(dirname(file))
  writeFileSync(file, await exampleIn(context, dirname(file), options))
  return file
}
