import type { Command } from 'commander'
import { type RunConfig, recordedConfig } from '../../../topologies/run-config.ts'
import type { Runtime } from '../../connections/connections.ts'
import { type SeenBy, seenBy } from '../../runs/exposure/seen.ts'
import { listRuns, runNamed } from '../../runs/registry.ts'
import { json } from '../../runtime/json.ts'
import { table } from '../../terminal/table.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'
import { idOf } from '../document-id.ts'
import { summaries } from '../summaries.ts'

interface Options extends GlobalOptions {
  readonly run?: string
  readonly json?: boolean
}

export const seen = (context: CliContext): Command =>
  clusterCommand('seen', summaries.seen)
    .argument('<id>', 'document id, decimal')
    .option('--run <name>', 'this run alone (default: all runs, without replays)')
    .option('--json', 'as JSON, with every checkpoint')
    .addHelpText('after', example('winnow seen 1099511627776', 'winnow seen 1099511627776 --run demo-7 --json'))
    .action(async (id: string, { run, ...options }: Options) => {
      const document = idOf(id)
      await using connection = await context.connect(options)
      const { runtime } = connection
      const runs = run === undefined ? await trainable(runtime) : [await runNamed(runtime, run)]
      const found = await seenBy(runtime, document, runs)
      if (options.json) return await print(context.stdout, `${json({ document, runs: found })}\n`)
      await print(
        context.stdout,
        inWords(
          id,
          found,
          runs.map(({ name }) => name),
          widthOf(context.stdout),
        ),
      )
    })

/** A replay is trained on by nobody. */
async function trainable(runtime: Runtime): Promise<RunConfig[]> {
  const recorded = [...(await listRuns(runtime)).values()]
  return recorded.filter(({ replayOf }) => replayOf === null).map(recordedConfig)
}

function inWords(id: string, found: readonly SeenBy[], runs: readonly string[], width: number | undefined): string {
  if (found.length === 0) {
    const where = runs.length === 1 ? `run ${runs[0]}` : `any of the ${runs.length} runs`
    return `document ${id} is in no selection of ${where}: no trainer was given it\n`
  }
  const rows = found.flatMap(({ run, selected, checkpoints }) => {
    const [first] = checkpoints
    const since = first === undefined ? 'none' : `step ${first.step}: ${first.path}`
    return selected.map(({ round, index, documents, times }) => [
      ...[run, `${round}`, `${index} of ${documents}`, `${times}`, since],
    ])
  })
  const columns = [
    { title: 'run' },
    { title: 'round', number: true },
    { title: 'index in the selection', number: true },
    { title: 'times read', number: true },
    { title: 'first checkpoint that had read it' },
  ]
  return `document ${id}\n\n${table(columns, rows, { width })}\n`
}
