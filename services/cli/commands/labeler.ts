import { Command, InvalidArgumentError, Option } from 'commander'
import { z } from 'zod'
import { loadConfig } from '../../config/load.ts'
import { labelVersions } from '../../corpus/label-versions.ts'
import type { Line } from '../../ingest/lines.ts'
import { checkFiles, linesOfFile } from '../../ingest/lines-of-file.ts'
import { choiceOfModel, type LabelerChoice } from '../../labeler/commands/choice.ts'
import { type Comparison, compareFiles, compareVersions } from '../../labeler/commands/compare.ts'
import { evaluateCommand } from '../../labeler/commands/evaluate.ts'
import { compareGoldenFiles, goldenCommand } from '../../labeler/commands/golden.ts'
import { labelCommand } from '../../labeler/commands/label.ts'
import { trainCommand } from '../../labeler/commands/train.ts'
import { type FeatureSpec, featureSpec } from '../../labeler/hashed/features.ts'
import { defaultFeatures } from '../../labeler/train.ts'
import { systemClock } from '../../runtime/clock.ts'
import { exitCodes, WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { Counter } from '../../terminal/progress.ts'
import {
  alwaysJson,
  type CliContext,
  clusterCommand,
  example,
  type GlobalOptions,
  naturalNumber,
  print,
} from '../context.ts'
import { summaries } from '../summaries.ts'
import { versions } from './labeler-versions.ts'

type Task = 'regression' | 'classification'

interface Choice {
  readonly actor?: string
  readonly model?: string
  readonly config?: string
}

interface Annotated {
  readonly task?: Task
  readonly data: string
  readonly text: string[]
  readonly field?: string
}

interface Training {
  readonly task: Task
  readonly classes?: string[]
  readonly auxiliaryFields?: string[]
  readonly wordGrams: number
  readonly characterGrams?: string[]
  readonly seed: number
  readonly out: string
}

const names = (text: string): string[] => text.split(',').map((name) => name.trim())

/** The labeler of a configured actor, or of a model's folder. @throws WinnowError USAGE, CONFIGURATION */
function choose(context: CliContext, { actor, model, config }: Choice): LabelerChoice {
  if ((actor === undefined) === (model === undefined)) {
    throw new WinnowError('USAGE', 'give either --actor or --model', {
      hint: '--actor names an actor of the configuration (quality, domain and topic by default), --model a folder written by train.',
    })
  }
  if (model !== undefined) return choiceOfModel(model, context.folder)
  const { actors, baseFolder } = loadConfig({
    ...(config !== undefined && { file: config }),
    env: context.env,
    folder: context.folder,
  })
  const found = actors.find(({ name }) => name === actor)
  if (found === undefined) {
    const hint = `Actors: ${actors.map(({ name }) => name).join(', ')}.`
    throw new WinnowError('CONFIGURATION', `the configuration has no actor ${actor}`, { hint })
  }
  return { actor: found, labeler: found.labeler, baseFolder }
}

const withLabelerOptions = (command: Command): Command =>
  command
    .option('--actor <name>', 'an actor of the configuration')
    .option('--model <folder>', 'instead of an actor: a folder written by train')
    .option('--config <file>', 'configuration file (default: winnow.yaml, if it exists)')

const withAnnotationOptions = (command: Command, task: Option): Command =>
  command
    .addOption(task.choices(['regression', 'classification']))
    .requiredOption('--data <file>', 'annotations: JSON lines with shard, line and the field')
    .requiredOption('--text <shards...>', 'the annotated files, anything ingest reads, in the order of their numbers')

const train = (context: CliContext): Command =>
  withAnnotationOptions(
    new Command('train').description('trains a hashed n-gram model from annotations'),
    new Option('--task <task>', 'scores or names').makeOptionMandatory(),
  )
    .option('--field <name>', 'field of the annotations (default: the only one with numbers, or with names)')
    .option('--classes <names>', 'in order, separated by commas (default: those of the data)', names)
    .option(
      '--auxiliary-fields <names>',
      'fields of the rows, or of their meta, whose labels help, separated by commas',
      names,
    )
    .option('--word-grams <n>', 'longest word n-gram: 0, 1 or 2', naturalNumber, defaultFeatures.wordGrams)
    .option('--character-grams <lengths>', 'lengths of character n-grams, separated by commas (default: none)', names)
    .option('--seed <n>', 'seed of the folds and the validation split', naturalNumber, 0)
    .requiredOption('--out <folder>', 'receives model.json, weights.bin, model.golden.json and cross-validation.json')
    .addHelpText(
      'after',
      example(
        'winnow labeler train --task regression --field quality --data annotations.jsonl --text shard-*.jsonl.gz --out model/',
        'winnow labeler label --model model/ < documents.jsonl > labels.jsonl',
      ),
    )
    .action(async (options: Annotated & Training) => {
      const { task, data, text, field, classes, auxiliaryFields, seed, out } = options
      const features = featureSpec.partial().safeParse({
        wordGrams: options.wordGrams,
        ...(options.characterGrams && { characterGrams: options.characterGrams.map(Number) }),
      })
      if (!features.success)
        throw new WinnowError('USAGE', `--word-grams or --character-grams: ${z.prettifyError(features.error)}`)
      const model = await trainCommand(
        {
          kind: task,
          annotations: data,
          corpus: text,
          ...(field !== undefined && { task: field }),
          ...(classes !== undefined && { classes }),
          ...(auxiliaryFields !== undefined && { auxiliaryFields }),
          features: features.data as Partial<FeatureSpec>,
          seed,
          out,
        },
        (step) => context.stderr.write(`${step}\n`),
      )
      await goldenCommand({ ...choiceOfModel(out, context.folder), write: true })
      await print(
        context.stdout,
        `${json({ out, task: model.task, classes: model.classes, metrics: model.metrics })}\n`,
      )
    })

const evaluate = (context: CliContext): Command =>
  withAnnotationOptions(
    withLabelerOptions(new Command('evaluate').description('scores a labeler on annotated documents')),
    new Option('--task <task>', 'what the annotations are: scores or names (default: by the data)'),
  )
    .option('--field <name>', "field of the annotations (default: the actor's name, or the only one)")
    .addHelpText(
      'after',
      example('winnow labeler evaluate --actor topic --data annotations.jsonl --text shard-*.jsonl.gz'),
    )
    .action(async (options: Choice & Annotated) => {
      const evaluation = await evaluateCommand({
        ...choose(context, options),
        annotations: options.data,
        corpus: options.text,
        ...(options.field !== undefined && { task: options.field }),
        ...(options.task !== undefined && { kind: options.task }),
      })
      if (evaluation.trainedOnThese)
        context.stderr.write(
          'The model was trained on these annotations: the figures do not show how it does on others.\n',
        )
      await print(context.stdout, `${json(evaluation)}\n`)
    })

const label = (context: CliContext): Command =>
  withLabelerOptions(
    new Command('label').description('labels the rows of standard input, or of files that ingest reads'),
  )
    .argument('[file...]', 'JSON lines, plain, gzip or Zstandard, or Parquet (default: standard input)')
    .addHelpText(
      'after',
      example(
        'winnow labeler label --actor quality < documents.jsonl > labels.jsonl',
        'winnow labeler label --actor quality documents.parquet > labels.jsonl',
      ),
    )
    .action(async (files: string[], options: Choice) => {
      const paths = files.length === 0 ? ['-'] : files
      await checkFiles(paths)
      const write = (text: string) => print(context.stdout, text)
      const progress = new Counter(context.stderr, systemClock, { doing: 'labelling', unit: 'lines' })
      const reject = (text: string) => {
        progress.clear()
        return print(context.stderr, text)
      }
      const input = counted(linesOfFiles(paths, context.stdin), progress)
      const { labelled, rejected } = await labelCommand(choose(context, options), input, write, reject)
      progress.clear()
      context.stderr.write(`${labelled} labelled, ${rejected} rejected\n`)
    })

/** Lines of the files, counted across files. */
async function* linesOfFiles(paths: readonly string[], standardInput: AsyncIterable<Buffer>): AsyncGenerator<Line> {
  let before = 0
  for (const path of paths) {
    let after = before
    for await (const line of linesOfFile(path, { standardInput })) {
      after = before + line.row + 1
      yield { ...line, row: before + line.row }
    }
    before = after
  }
}

/** Passes lines on and counts them. */
async function* counted(lines: AsyncIterable<Line>, progress: Counter): AsyncGenerator<Line> {
  let count = 0
  for await (const line of lines) {
    yield line
    progress.at(++count)
  }
}

interface Checked extends Choice {
  readonly write?: boolean
  readonly out?: string
  readonly tolerance?: number
}

function tolerance(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) throw new InvalidArgumentError('must be 0 or more')
  return value
}

const golden = (context: CliContext): Command =>
  withLabelerOptions(
    new Command('golden').description(
      'checks whether a model gives the same outputs on this machine as where its golden outputs were made',
    ),
  )
    .option('--write', 'write the outputs of this machine beside the model, where labelers look for them at startup')
    .option('--out <file>', 'write the outputs of this machine to a file, to compare with those of another')
    .option('--tolerance <difference>', 'with --write or --out: the largest difference due to rounding', tolerance)
    .addHelpText(
      'after',
      example(
        'winnow labeler golden --actor topic',
        'winnow labeler golden --actor topic --write',
        'winnow labeler golden --actor topic --out here.json',
      ),
    )
    .action(async ({ write, out, tolerance, ...choice }: Checked) => {
      const report = await goldenCommand({
        ...choose(context, choice),
        ...(write !== undefined && { write }),
        ...(out !== undefined && { out }),
        ...(tolerance !== undefined && { tolerance }),
      })
      await print(context.stdout, `${json(report)}\n`)
      const { state } = report.golden
      if (report.written === undefined && (state === 'differs' || state === 'other model'))
        context.exitCode(exitCodes.guarantee)
    })

interface Compared extends GlobalOptions {
  readonly actor?: string
  readonly versions?: string[]
}

const compare = (context: CliContext): Command =>
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

export function labeler(context: CliContext): Command {
  const command = new Command('labeler').description(summaries.labeler)
  for (const make of [label, train, evaluate, compare, golden]) command.addCommand(alwaysJson(make(context)))
  command.addCommand(versions(context))
  return command
}
