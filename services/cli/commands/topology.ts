import type { Command } from 'commander'
import { describe, mermaid } from '../../../topologies/describe.ts'
import { readEvalSets } from '../../host/eval-sets.ts'
import { runNamed } from '../../runs/registry.ts'
import { json } from '../../runtime/json.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print } from '../context.ts'
import { runMeant } from '../run-meant.ts'
import { summaries } from '../summaries.ts'

export const topology = (context: CliContext): Command =>
  clusterCommand('topology', summaries.topology)
    .option('--run <name>', 'the run (default: the newest that has selected)')
    .option('--mermaid', 'as a Mermaid flowchart')
    .option('--json', 'as JSON')
    .addHelpText('after', example('winnow topology --run demo-7 --mermaid'))
    .action(async (options: GlobalOptions & { run?: string; mermaid?: boolean; json?: boolean }) => {
      await using connection = await context.connect(options)
      const { runtime } = connection
      const name = await runMeant(context, runtime, options.run)
      const { version } = await readEvalSets(runtime)
      const description = describe(await runNamed(runtime, name), { evalSets: version !== undefined })
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
