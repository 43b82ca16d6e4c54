import type { Command } from 'commander'
import { runConfigJson } from '../../../topologies/run-config.ts'
import { labelerVersions } from '../../runs/label-progress.ts'
import { submitRun } from '../../runs/registry.ts'
import { completeRun, readRunFile } from '../../runs/run-file.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { type CliContext, clusterCommand, example, print } from '../context.ts'
import { type ExampleOptions, exampleIn, exampleOptions } from '../init/run-file.ts'

interface Options extends ExampleOptions {
  readonly example?: boolean
  readonly json?: boolean
}

export function create(context: CliContext): Command {
  const command = clusterCommand('create', 'records a run from a file')
    .argument('[file]', 'run configuration, YAML or JSON (docs/run-yaml.md)')
    .option('--example', 'prints a file to start from, which works as it is, instead of recording one')
    .option('--json', 'what was recorded, as JSON')
    .addHelpText('after', example('winnow run create --example > run.yaml', 'winnow run create run.yaml'))
    .action(async (path: string | undefined, options: Options) => {
      if (options.example === true)
        return await print(context.stdout, await exampleIn(context, context.folder, options))
      if (path === undefined)
        throw new WinnowError('USAGE', 'which run: give its file', {
          hint: 'winnow init --run writes one to start from.',
        })
      const file = readRunFile(path, context.folder)
      await using connection = await context.connect(options)
      const { config, runtime } = connection
      const run = completeRun(file, await labelerVersions(config))
      await submitRun(runtime, run)
      await print(context.stdout, options.json ? `${runConfigJson(run)}\n` : `${run.name}\n`)
    })
  for (const option of exampleOptions()) {
    option.description = `with --example: ${option.description}`
    command.addOption(option)
  }
  return command
}
