import type { Command } from 'commander'
import { describe, mermaid } from '../../../topologies/describe.ts'
import { listRuns, runNamed } from '../../runs/registry.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print } from '../context.ts'
import { summaries } from '../summaries.ts'

export const topology = (context: CliContext): Command =>
  clusterCommand('topology', summaries.topology)
    .option('--run <name>', 'the run (default: the first one)')
    .option('--mermaid', 'as a Mermaid flowchart')
    .option('--json', 'as JSON')
    .addHelpText('after', example('winnow topology --run demo-7 --mermaid'))
    .action(async (options: GlobalOptions & { run?: string; mermaid?: boolean; json?: boolean }) => {
      await using connection = await context.connect(options)
      const { runtime } = connection
      const name = options.run ?? (await listRuns(runtime)).keys().next().value
      if (name === undefined)
        throw new WinnowError('CONFIGURATION', 'there is no run yet', {
          hint: 'Start one, for example with npm start.',
        })
      const description = describe(await runNamed(runtime, name))
      if (options.json) return await print(context.stdout, `${json(description)}\n`)
      if (options.mermaid)
        return await print(
          context.stdout,
          `${mermaid(description, (topic) => topic.replace(/^winnow\.(run\.[^.]+\.)?/, ''))}\n`,
        )
      for (const { name: station, purpose, reads, writes } of description.stations) {
        await print(
          context.stdout,
          `${station}: ${purpose}\n  reads  ${reads.join(', ') || '–'}\n  writes ${writes.join(', ') || '–'}\n`,
        )
      }
    })
