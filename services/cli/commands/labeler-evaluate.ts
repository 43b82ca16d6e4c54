import { Command, Option } from 'commander'
import { evaluateCommand } from '../../labeler/commands/evaluate.ts'
import { json } from '../../runtime/json.ts'
import { type CliContext, example, print } from '../context.ts'
import {
  type Annotated,
  type Choice,
  choose,
  textFieldsFor,
  withAnnotationOptions,
  withLabelerOptions,
  withTextField,
} from './labeler-options.ts'

export const evaluate = (context: CliContext): Command =>
  withAnnotationOptions(
    withTextField(withLabelerOptions(new Command('evaluate').description('scores a labeler on annotated documents'))),
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
        textFields: textFieldsFor(context, options),
        ...(options.field !== undefined && { task: options.field }),
        ...(options.task !== undefined && { kind: options.task }),
      })
      if (evaluation.trainedOnThese)
        context.stderr.write(
          'The model was trained on these annotations: the figures do not show how it does on others.\n',
        )
      await print(context.stdout, `${json(evaluation)}\n`)
    })
