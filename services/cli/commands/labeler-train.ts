import { Command, Option } from 'commander'
import { z } from 'zod'
import { choiceOfModel } from '../../labeler/commands/choice.ts'
import { goldenCommand } from '../../labeler/commands/golden.ts'
import { trainCommand } from '../../labeler/commands/train.ts'
import { type DsirTarget, fitDsir } from '../../labeler/dsir/fit.ts'
import { type FeatureSpec, featureSpec } from '../../labeler/hashed/features.ts'
import { defaultFeatures } from '../../labeler/train.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { type CliContext, example, naturalNumber, print } from '../context.ts'
import { choose, configDescription, names, type Task, textFieldsFor, withTextField } from './labeler-options.ts'

interface Training {
  readonly task: Task | 'dsir'
  readonly data?: string
  readonly text: string[]
  readonly field?: string
  readonly target?: string[]
  readonly targetSubcategory?: string
  readonly config?: string
  readonly textField?: string
  readonly classes?: string[]
  readonly auxiliaryFields?: string[]
  readonly wordGrams: number
  readonly characterGrams?: string[]
  readonly seed: number
  readonly out: string
}

export const train = (context: CliContext): Command =>
  withTextField(
    new Command('train').description('trains a hashed n-gram model from annotations, or fits DSIR to a target'),
  )
    .addOption(
      new Option('--task <task>', 'scores, names, or importance weights (dsir)')
        .choices(['regression', 'classification', 'dsir'])
        .makeOptionMandatory(),
    )
    .option('--data <file>', 'annotations: JSON lines with shard, line and the field (not for dsir)')
    .requiredOption(
      '--text <shards...>',
      'the annotated files, anything ingest reads, in the order of their numbers; for dsir the corpus',
    )
    .option('--target <files...>', 'for dsir: files of texts like those that are wanted')
    .option(
      '--target-subcategory <actor=name>',
      'for dsir, instead: the documents of --text that the labeler of an actor puts into a subcategory',
    )
    .option('--config <file>', configDescription)
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
    .requiredOption(
      '--out <folder>',
      'receives model.json, weights.bin, model.golden.json and cross-validation.json, or dsir.json',
    )
    .addHelpText(
      'after',
      example(
        'winnow labeler train --task regression --field quality --data annotations.jsonl --text shard-*.jsonl.gz --out model/',
        'winnow labeler label --model model/ < documents.jsonl > labels.jsonl',
        'winnow labeler train --task dsir --text shard-*.jsonl.gz --target-subcategory domain=Book --out dsir-book/',
      ),
    )
    .action(async (options: Training) => {
      const { task, data, text, field, classes, auxiliaryFields, seed, out } = options
      if (task === 'dsir') return await trainDsir(context, options)
      const other = options.target ?? options.targetSubcategory
      if (data === undefined || other !== undefined)
        throw new WinnowError('USAGE', `--task ${task} needs --data, and takes no target`, {
          hint: 'Annotations are JSON lines with shard, line and the field: docs/labelers.md.',
        })
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
          textFields: textFieldsFor(context, options),
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

async function trainDsir(context: CliContext, { text, target, targetSubcategory, ...options }: Training) {
  if ((target === undefined) === (targetSubcategory === undefined) || options.data !== undefined)
    throw new WinnowError('USAGE', '--task dsir needs either --target or --target-subcategory, and takes no --data', {
      hint: '--target names files of texts, --target-subcategory an actor and one of its subcategories: domain=Book.',
    })
  const { config, out } = options
  const { training, ...file } = await fitDsir({
    corpus: text,
    textFields: textFieldsFor(context, options),
    target: target === undefined ? subcategoryTarget(context, targetSubcategory!, config) : { files: target },
    out,
  })
  const { corpusDocuments, targetDocuments, rejected } = training
  await print(
    context.stdout,
    `${json({ out, task: 'dsir', target: file.target, corpusDocuments, targetDocuments, rejected })}\n`,
  )
}

function subcategoryTarget(context: CliContext, text: string, config: string | undefined): DsirTarget {
  const at = text.indexOf('=')
  if (at < 1 || at === text.length - 1)
    throw new WinnowError('USAGE', `--target-subcategory ${text} is not ACTOR=SUBCATEGORY`, { hint: 'domain=Book.' })
  const choice = choose(context, { actor: text.slice(0, at), ...(config !== undefined && { config }) })
  return { choice, subcategory: text.slice(at + 1) }
}
