import { Command, Option } from 'commander'
import { evaluateCommand, type LabelerChoice, labelCommand, trainCommand } from '../../labeler/commands.ts'
import { loadConfig } from '../../runtime/config.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { type CliContext, example, json, naturalNumber, print } from '../context.ts'

interface Choice {
  readonly actor: string
  readonly config?: string
}

export function labeler(context: CliContext): Command {
  const command = new Command('labeler').description('trains, evaluates and runs labelers on files')
  const choose = ({ actor, config }: Choice): LabelerChoice => {
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
  const kind = () =>
    new Option('--kind <kind>', 'what the annotations hold')
      .choices(['regression', 'classification'])
      .makeOptionMandatory()

  command.addCommand(
    new Command('label')
      .description('labels JSON lines with "text" and "meta" from standard input')
      .requiredOption('--actor <name>', 'an actor of the configuration')
      .option('--config <file>', 'configuration file')
      .addHelpText('after', example('winnow labeler label --actor quality < documents.jsonl > labels.jsonl'))
      .action(async (options: Choice) => {
        const write = (text: string) => print(context.stdout, text)
        const reject = (text: string) => print(context.stderr, text)
        const { labelled, rejected } = await labelCommand(choose(options), context.stdin, write, reject)
        context.stderr.write(`${labelled} labelled, ${rejected} rejected\n`)
      }),
  )
  command.addCommand(
    new Command('train')
      .description('trains a hashed n-gram model from annotations')
      .requiredOption('--task <field>', 'field of the annotations, and of the model')
      .addOption(kind())
      .option('--classes <names>', 'names in their order, separated by commas (classification)', (text) =>
        text.split(','),
      )
      .requiredOption('--annotations <file>', 'JSON lines with shard, line and the task field')
      .requiredOption('--corpus <files...>', 'the annotated shards, JSON lines (.gz too)')
      .option('--auxiliary-fields <fields>', 'fields of meta whose labels help, separated by commas', (text) =>
        text.split(','),
      )
      .option('--seed <n>', 'seed of folds and order', naturalNumber, 0)
      .requiredOption('--out <folder>', 'takes model.json and weights.bin')
      .addHelpText(
        'after',
        example(
          'winnow labeler train --task quality --kind regression --annotations a.jsonl --corpus shard-*.gz --out quality',
        ),
      )
      .action(async (options: Parameters<typeof trainCommand>[0]) => {
        const model = await trainCommand(options, (step) => context.stderr.write(`${step}\n`))
        await print(context.stdout, `${json(model)}\n`)
      }),
  )
  command.addCommand(
    new Command('evaluate')
      .description("scores an actor's labeler on annotated documents")
      .requiredOption('--actor <name>', 'an actor of the configuration')
      .option('--config <file>', 'configuration file')
      .requiredOption('--task <field>', 'field of the annotations')
      .addOption(kind())
      .requiredOption('--annotations <file>', 'JSON lines with shard, line and the task field')
      .requiredOption('--corpus <files...>', 'the annotated shards')
      .addHelpText(
        'after',
        example(
          'winnow labeler evaluate --actor topic --task topic --kind classification --annotations a.jsonl --corpus shard-*.gz',
        ),
      )
      .action(
        async (
          options: Choice & Pick<Parameters<typeof evaluateCommand>[0], 'task' | 'kind' | 'annotations' | 'corpus'>,
        ) => {
          await print(context.stdout, `${json(await evaluateCommand({ ...options, ...choose(options) }))}\n`)
        },
      ),
  )
  return command
}
