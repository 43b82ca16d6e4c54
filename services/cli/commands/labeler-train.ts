import { Command, Option } from 'commander'
import { z } from 'zod'
import { choiceOfModel } from '../../labeler/commands/choice.ts'
import { goldenCommand } from '../../labeler/commands/golden.ts'
import { trainCommand } from '../../labeler/commands/train.ts'
import { type FeatureSpec, featureSpec } from '../../labeler/hashed/features.ts'
import { defaultFeatures } from '../../labeler/train.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { type CliContext, example, naturalNumber, print } from '../context.ts'
import {
  type Annotated,
  configDescription,
  names,
  type Task,
  textFieldsFor,
  withAnnotationOptions,
  withTextField,
} from './labeler-options.ts'

interface Training {
  readonly task: Task
  readonly classes?: string[]
  readonly auxiliaryFields?: string[]
  readonly wordGrams: number
  readonly characterGrams?: string[]
  readonly seed: number
  readonly out: string
}

export const train = (context: CliContext): Command =>
  withAnnotationOptions(
    withTextField(new Command('train').description('trains a hashed n-gram model from annotations')).option(
      '--config <file>',
      configDescription,
    ),
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
