import type { Command, Option } from 'commander'
import type { TextFields } from '../../ingest/text-field.ts'
import { choiceOfModel, type LabelerChoice } from '../../labeler/commands/choice.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { configOf } from '../config-of.ts'
import type { CliContext } from '../context.ts'

export type Task = 'regression' | 'classification'

export interface Choice {
  readonly actor?: string
  readonly model?: string
  readonly config?: string
  readonly textField?: string
}

export interface Annotated {
  readonly task?: Task
  readonly data: string
  readonly text: string[]
  readonly field?: string
  readonly config?: string
  readonly textField?: string
}

export const configDescription = 'configuration file (default: winnow.yaml, if it exists)'

export const names = (text: string): string[] => text.split(',').map((name) => name.trim())

/** The labeler of a configured actor, or of a model's folder. @throws WinnowError USAGE, CONFIGURATION */
export function choose(context: CliContext, options: Choice): LabelerChoice {
  const { actor, model } = options
  if ((actor === undefined) === (model === undefined)) {
    throw new WinnowError('USAGE', 'give either --actor or --model', {
      hint: '--actor names an actor of the configuration (quality, domain and topic by default), --model a folder written by train.',
    })
  }
  if (model !== undefined) return choiceOfModel(model, context.folder)
  const { actors, baseFolder } = configOf(context, options)
  const found = actors.find(({ name }) => name === actor)
  if (found === undefined) {
    const hint = `Actors: ${actors.map(({ name }) => name).join(', ')}.`
    throw new WinnowError('CONFIGURATION', `the configuration has no actor ${actor}`, { hint })
  }
  return { actor: found, labeler: found.labeler, baseFolder }
}

/** Where the rows of files have their text: as the option says, or as the configuration says for ingest. */
export function textFieldsFor(
  context: CliContext,
  options: { readonly config?: string; readonly textField?: string },
): TextFields {
  const { textField } = options
  if (textField !== undefined) return { textField }
  const { corpus } = configOf(context, options)
  return { textFields: corpus.textFields, textFieldDefault: corpus.textField }
}

export const withTextField = (command: Command): Command =>
  command.option(
    '--text-field <name>',
    'the field with the text; a.b for b within a (default: corpus.textFields, corpus.textField, text)',
  )

export const withLabelerOptions = (command: Command): Command =>
  command
    .option('--actor <name>', 'an actor of the configuration')
    .option('--model <folder>', 'instead of an actor: a folder written by train')
    .option('--config <file>', configDescription)

export const withAnnotationOptions = (command: Command, task: Option): Command =>
  command
    .addOption(task.choices(['regression', 'classification']))
    .requiredOption('--data <file>', 'annotations: JSON lines with shard, line and the field')
    .requiredOption('--text <shards...>', 'the annotated files, anything ingest reads, in the order of their numbers')
